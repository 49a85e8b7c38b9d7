//! The job of launchd, on macOS.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::definition::{Definition, LABEL, MARK, text};
use crate::failure::ServiceError;

/// Where the job's output goes. launchd has no log of its own.
pub(super) fn log(state: &Path) -> PathBuf {
    state.join("gateway.log")
}

/// The text of the property list.
pub(super) fn plist(definition: &Definition) -> Result<String, ServiceError> {
    let log = text(&log(&definition.state), "the state directory")?;
    let mut plist = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- {MARK} {} -->\n\
         <plist version=\"1.0\">\n<dict>\n",
        env!("CARGO_PKG_VERSION"),
    );
    let mut line = |text: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(plist, "  {text}");
    };
    let string = |value: &str| format!("<string>{}</string>", escaped(value));
    line("<key>Label</key>");
    line(&string(LABEL));
    line("<key>ProgramArguments</key>");
    line("<array>");
    for argument in definition.arguments()? {
        line(&format!("  {}", string(&argument)));
    }
    line("</array>");
    line("<key>EnvironmentVariables</key>");
    line("<dict>");
    for (name, value) in &definition.environment {
        line(&format!("  <key>{name}</key>"));
        line(&format!("  {}", string(value)));
    }
    line("</dict>");
    for key in ["RunAtLoad", "KeepAlive"] {
        line(&format!("<key>{key}</key>"));
        line("<true/>");
    }
    // Seconds between two starts, and until a job that is told to end is killed; the mask is 077.
    for (key, number) in [("ThrottleInterval", 10), ("ExitTimeOut", 30), ("Umask", 63)] {
        line(&format!("<key>{key}</key>"));
        line(&format!("<integer>{number}</integer>"));
    }
    line("<key>ProcessType</key>");
    line(&string("Interactive"));
    line("<key>StandardInPath</key>");
    line(&string("/dev/null"));
    for key in ["StandardOutPath", "StandardErrorPath"] {
        line(&format!("<key>{key}</key>"));
        line(&string(&log));
    }
    plist.push_str("</dict>\n</plist>\n");
    Ok(plist)
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&apos;")
}
