//! Which gateway a command goes to, and what it shows there.

use gateway_protocol::GatewayUrl;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gateway_client::Fingerprint;

use crate::failure::UsageError;

/// Where a command is carried out, as far as the command line says.
#[derive(Debug, Clone, Default)]
pub(crate) struct TargetOptions {
    pub(crate) url: Option<GatewayUrl>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) timeout: Option<Duration>,
    /// On the files, gateway or not.
    pub(crate) local: bool,
    /// Whether to say where the command is carried out.
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Gateway")]
pub(super) struct RawTarget {
    /// Go to this gateway and nowhere else: ws://… or wss://…
    #[arg(long, global = true)]
    url: Option<String>,
    /// File with the gateway's token
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the gateway's password
    #[arg(long, global = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// SHA-256 of the gateway's certificate: no other is believed
    #[arg(long, global = true, value_name = "SHA256")]
    tls_fingerprint: Option<String>,
    /// How long to wait for the gateway: milliseconds, or 10s
    #[arg(long, global = true, value_name = "TIME")]
    timeout: Option<String>,
}

/// The same where the state directory may do as well.
#[derive(Debug, Args)]
#[command(next_help_heading = "Gateway")]
pub(super) struct RawPlace {
    #[command(flatten)]
    target: RawTarget,
    /// Go to the state directory, whether a gateway runs or not
    #[arg(long, global = true)]
    local: bool,
    /// Say where the command is carried out
    #[arg(long, global = true)]
    verbose: bool,
}

impl RawTarget {
    pub(super) fn meaning(self) -> Result<TargetOptions, UsageError> {
        Ok(TargetOptions {
            url: self.url.map(|url| gateway_url(&url)).transpose()?,
            token_file: self.token_file,
            password_file: self.password_file,
            fingerprint: self.tls_fingerprint.map(fingerprint).transpose()?,
            timeout: self.timeout.map(|text| time(&text)).transpose()?,
            local: false,
            verbose: false,
        })
    }
}

impl RawPlace {
    pub(super) fn meaning(self) -> Result<TargetOptions, UsageError> {
        let options = TargetOptions {
            local: self.local,
            verbose: self.verbose,
            ..self.target.meaning()?
        };
        if options.local && options.url.is_some() {
            return Err(UsageError::TwoPlaces);
        }
        Ok(options)
    }
}

pub(super) fn gateway_url(text: &str) -> Result<GatewayUrl, UsageError> {
    GatewayUrl::parse(text).map_err(UsageError::Gateway)
}

pub(super) fn fingerprint(text: String) -> Result<Fingerprint, UsageError> {
    Fingerprint::parse(&text).map_err(|source| UsageError::Fingerprint { text, source })
}

/// `10000`, `10000ms` or `10s`; at least a millisecond and at most an hour.
pub(super) fn time(text: &str) -> Result<Duration, UsageError> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => match text.strip_suffix('s') {
            Some(number) => (number, 1000),
            None => (text, 1),
        },
    };
    let number: Option<u64> = number.parse().ok();
    let time = number.and_then(|number| number.checked_mul(unit));
    time.filter(|time| (1..=3_600_000).contains(time))
        .map(Duration::from_millis)
        .ok_or_else(|| UsageError::Time(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, expected) in [
            ("10000", Some(10_000)),
            ("500ms", Some(500)),
            ("3s", Some(3000)),
            ("0", None),
            ("1h", None),
            ("-1", None),
            ("3600001", None),
            ("18446744073709551615s", None),
        ] {
            assert_eq!(
                time(text).ok(),
                expected.map(Duration::from_millis),
                "{text}"
            );
        }
    }
}
