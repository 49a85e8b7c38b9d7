//! The log of a program that keeps running, on standard error.

use tracing_subscriber::EnvFilter;

use crate::args::{LogFormat, LogOptions};
use crate::console::Screen;
use crate::{Environment, Failure};

/// The default log level.
const USUAL: &str = "info";

/// Starts the log, once in a process. `--log-level` takes precedence over `OPENCLAW_LOG`.
pub(crate) fn start(
    options: &LogOptions,
    environment: &Environment<'_>,
    screen: &Screen<'_, '_>,
) -> Result<(), Failure> {
    let variable = (environment.var)("OPENCLAW_LOG");
    let variable = variable.map(|value| value.to_string_lossy().into_owned());
    let named = options.level.clone().or(variable);
    let named = named.filter(|filter| !filter.trim().is_empty());
    let filter = named.as_deref().unwrap_or(USUAL);
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| Failure::LogFilter {
            filter: filter.to_owned(),
            source,
        })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(screen.may_color_remarks());
    // A process that already has a log keeps it.
    let _ = match options.format {
        LogFormat::Human => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    Ok(())
}
