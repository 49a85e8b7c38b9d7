//! `openclaw qr`: shows a setup code as a QR code.

use std::fs::{self, File};
use std::path::Path;

use openclaw_config::Config;
use openclaw_gateway::qr::{self, QrError};
use openclaw_gateway::{Reach, ReachError, tailnet_name};
use pairing_core::escape;

use crate::args::SetupOptions;
use crate::backend::{Backend, SetupIssued};
use crate::console::Screen;
use crate::{Exit, Failure, json, text};

/// Finds the address: the one that was named, or the configured one. Fails if setup codes must not be issued.
pub(crate) fn reach(options: &SetupOptions, config: &Config) -> Result<Reach, Failure> {
    let configured = match (&options.url, config.device_pair.enabled) {
        (Some(url), true) => return Ok(Reach::at(url.clone(), "--url")),
        (None, true) if options.remote => Reach::remote(config).unwrap_or(Err(ReachError::Unknown)),
        _ => Reach::configured(config, tailnet_name),
    };
    configured.map_err(|error| match error {
        ReachError::Disabled => Failure::SetupDisabled,
        ReachError::Configured { key, source } => Failure::ConfiguredUrl { key, source },
        _ => Failure::NoUrl,
    })
}

/// Issues a setup code and shows it. Errors about the address or the file are found before that. A code that
/// cannot be shown is known to nobody, and expires.
pub(crate) fn run(
    options: &SetupOptions,
    target: &Reach,
    backend: &Backend,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let picture = options.png.as_deref().map(Picture::create).transpose()?;
    let issued = backend.issue(
        &target.url,
        options.profile,
        target.tls_fingerprint.as_deref(),
    );
    let SetupIssued {
        code,
        issued_at,
        expires_at,
        profile,
    } = match issued {
        Ok(issued) => issued,
        Err(failure) => {
            if let Some(picture) = picture {
                picture.abandon();
            }
            return Err(failure);
        }
    };
    if let Some(picture) = picture {
        picture.draw(&code)?;
    }
    if profile != options.profile {
        screen.caution("the gateway gives other rights at that address than were asked for");
    }
    let asks = profile.ask();
    if options.json {
        screen.json(&json::Issued {
            setup_code: &code,
            gateway_url: &target.url,
            url_source: target.source,
            roles: asks.roles.iter().copied().collect(),
            scopes: asks.scopes,
            expires_at_ms: expires_at.as_millis(),
        })?;
        return Ok(Exit::Done);
    }
    let draws = options.ascii && !options.code_only && screen.has_tables();
    if draws {
        draw(&code, screen)?;
    }
    screen.line(&*code)?;
    if options.code_only {
        return Ok(Exit::Done);
    }
    screen.remark(format_args!(
        "Gateway: {}",
        escape(target.url.as_str()).limit(usize::MAX)
    ))?;
    if target.url.is_loopback() {
        screen.caution("that address leads nowhere but to this machine");
    }
    let left = text::left(issued_at, expires_at);
    screen.remark(format_args!(
        "For {left}, until {expires_at}, one device may ask with it to be let in, and to"
    ))?;
    for right in text::rights(&asks, None) {
        screen.remark(format_args!("  {right}"))?;
    }
    screen.remark(
        "It is in once you have approved it: `openclaw devices approve` shows its request.",
    )?;
    Ok(Exit::Done)
}

/// Draws the code, unless its lines would be wrapped and could not be scanned.
fn draw(code: &str, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    let drawn = qr::render_terminal(code, false).and_then(|plain| {
        let columns = plain.lines().next().map_or(0, |line| line.chars().count());
        let colored = qr::render_terminal(code, screen.may_color())?;
        Ok((columns, colored))
    });
    match drawn {
        Ok((columns, drawn)) if screen.fits(columns) => screen.line(drawn)?,
        Ok((columns, _)) => screen.caution(&format!(
            "the QR code is {columns} columns wide, which is more than the terminal is: \
             make that wider, or paste the setup code"
        )),
        Err(error) => screen.caution(&format!("{error}: paste the setup code")),
    }
    Ok(())
}

/// Creates a file that only its owner may read, because the drawing is a secret.
struct Picture<'p> {
    path: &'p Path,
    file: File,
}

impl<'p> Picture<'p> {
    fn create(path: &'p Path) -> Result<Self, Failure> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(path).map_err(|source| Failure::NewFile {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Self { path, file })
    }

    fn draw(self, code: &str) -> Result<(), Failure> {
        qr::render_png(code, &self.file).map_err(|error| {
            let source = match error {
                QrError::Write(source) => source,
                other => std::io::Error::other(other),
            };
            let path = self.path.display().to_string();
            self.abandon();
            Failure::NewFile { path, source }
        })
    }

    /// Removes an empty file.
    fn abandon(self) {
        let _ = fs::remove_file(self.path);
    }
}
