//! `openclaw gateway run`: runs a gateway until it is told to stop.

use std::sync::Arc;

use openclaw_gateway::{Announcement, ServeOptions, read_token, serve};
use pairing_core::escape;
use pairing_fs::StateDir;

use crate::args::RunOptions;
use crate::console::Screen;
use crate::{Environment, Exit, Failure, log};

/// Runs a gateway until it is told to stop. At the start it prints its address and where its token is.
pub(super) fn run(
    options: RunOptions,
    state: StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    log::start(&options.log, environment, screen)?;
    let token = options.token_file.as_deref().map(read_token).transpose()?;
    let options = ServeOptions {
        state,
        var: Arc::clone(environment.var),
        port: options.port,
        bind: options.bind,
        token,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let mut told = Ok(());
    let served = runtime.block_on(async {
        // Handlers are installed before anything else, so that an early signal is not lost.
        let stop = (environment.stop)();
        let announce = |announcement: &Announcement| told = announce(announcement, screen);
        serve(options, announce, stop).await
    });
    served?;
    told?;
    Ok(Exit::Done)
}

fn announce(announcement: &Announcement, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    let (scheme, of_page) = match announcement.fingerprint {
        Some(_) => ("wss", "https"),
        None => ("ws", "http"),
    };
    let addresses = announcement.addresses.iter();
    let addresses: Vec<_> = addresses
        .map(|address| format!("{scheme}://{address}"))
        .collect();
    screen.line(format_args!("Listening on {}", addresses.join(", ")))?;
    if let Some(fingerprint) = &announcement.fingerprint {
        screen.line(format_args!("Certificate, SHA-256: {fingerprint}"))?;
    }
    let place = announcement.token.to_string();
    let mut letters = place.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let place: String = first.into_iter().chain(letters).collect();
    screen.line(escape(&place).limit(usize::MAX))?;
    if let Some(port) = announcement.page {
        screen.line(format_args!(
            "Page for browsers: {of_page}://127.0.0.1:{port}/ (`openclaw dashboard` has the link that signs in)"
        ))?;
    }
    screen.flush()?;
    Ok(())
}
