//! `openclaw gateway run`: runs a gateway until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use openclaw_gateway::{Alive, Announcement, ServeError, ServeOptions, read_token, serve};
use pairing_core::escape;
use pairing_fs::StateDir;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::sync::Notify;

use crate::args::RunOptions;
use crate::console::Screen;
use crate::{Environment, Exit, Failure, Told, log};

/// How often the gateway shows that it is alive: several times within the time after which its unit is started again.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Runs a gateway until it is told to stop. At the start it prints its address and where its token is.
pub(super) fn run(
    options: RunOptions,
    state: StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    keep_memory_private();
    log::start(&options.log, environment, screen)?;
    let token = options.token_file.as_deref().map(read_token).transpose()?;
    let listeners = (environment.listeners)().map_err(ServeError::Handed)?;
    let reread = Arc::new(Notify::new());
    let options = ServeOptions {
        state,
        var: Arc::clone(environment.var),
        port: options.port,
        bind: options.bind,
        listeners: listeners.into(),
        token,
        reread: Arc::clone(&reread),
        alive: Some(Alive::new(HEARTBEAT, {
            let tell = Arc::clone(environment.tell_manager);
            move || tell(Told::Alive)
        })),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let mut told = Ok(());
    let served = runtime.block_on(async {
        // Handlers are installed before anything else, so that an early signal is not lost.
        let stop = (environment.stop)();
        let tell = Arc::clone(environment.tell_manager);
        let stop = async move {
            stop.await;
            tell(Told::Stopping);
        };
        (environment.reread)(reread);
        let announce = |announcement: &Announcement| {
            told = announce(announcement, screen);
            (environment.tell_manager)(Told::Ready);
        };
        serve(options, announce, stop).await
    });
    served?;
    told?;
    Ok(Exit::Done)
}

/// Keeps secrets in memory from core dumps, and from debuggers of the same user.
fn keep_memory_private() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Where a system refuses, the gateway is no worse off than any other program.
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn t116_memory_is_neither_dumped_nor_traced() {
        keep_memory_private();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
