//! Resolves the paths of an OpenClaw install's state; the only place that does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The state directory of an install, and the paths within it.
///
/// Creating a `StateDir` changes nothing on disk; it only checks which of the historical directories exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
    credentials: PathBuf,
    config: PathBuf,
}

/// The state directory cannot be determined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot tell where the state directory is: HOME is not set")]
pub struct NoStateDir;

impl StateDir {
    /// Returns the install in exactly this directory, ignoring the environment.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let credentials = root.join("credentials");
        let config = root.join("openclaw.json");
        Self {
            root,
            credentials,
            config,
        }
    }

    /// Returns the install that the environment points to, by the same rules as OpenClaw itself.
    ///
    /// `OPENCLAW_STATE_DIR`, else `CLAWDBOT_STATE_DIR`, else `.openclaw` under `OPENCLAW_HOME` or
    /// `HOME`; if that does not exist, the first of `.clawdbot`, `.moldbot` and `.moltbot` that
    /// does. `OPENCLAW_OAUTH_DIR` moves the credentials, `OPENCLAW_CONFIG_PATH` the configuration. A
    /// leading `~` stands for the home directory; a blank variable counts as unset.
    pub fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoStateDir> {
        let set = |name| var(name).filter(|value| !value.to_string_lossy().trim().is_empty());
        let user_home = set("HOME").map(PathBuf::from);
        let home = match set("OPENCLAW_HOME") {
            Some(home) => Some(expand(home.into(), user_home.as_deref())),
            None => user_home,
        };
        let named = |name| set(name).map(|dir| expand(dir.into(), home.as_deref()));
        let root = match named("OPENCLAW_STATE_DIR").or_else(|| named("CLAWDBOT_STATE_DIR")) {
            Some(root) => root,
            None => usual(home.as_deref().ok_or(NoStateDir)?),
        };
        let usual = Self::at(root);
        Ok(Self {
            credentials: named("OPENCLAW_OAUTH_DIR").unwrap_or(usual.credentials),
            config: named("OPENCLAW_CONFIG_PATH").unwrap_or(usual.config),
            root: usual.root,
        })
    }

    /// The state directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Directory of the DM pairing files.
    pub fn credentials(&self) -> &Path {
        &self.credentials
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Directory of devices, their requests and pairing tokens.
    pub fn devices(&self) -> PathBuf {
        self.root.join("devices")
    }

    /// Directory of legacy nodes and their requests.
    pub fn nodes(&self) -> PathBuf {
        self.root.join("nodes")
    }

    /// Directory of a client's own identity.
    pub fn identity(&self) -> PathBuf {
        self.root.join("identity")
    }
}

/// Returns the first existing directory of those OpenClaw has used, or the newest name if none exists.
fn usual(home: &Path) -> PathBuf {
    let newest = home.join(".openclaw");
    if newest.exists() {
        return newest;
    }
    [".clawdbot", ".moldbot", ".moltbot"]
        .iter()
        .map(|name| home.join(name))
        .find(|dir| dir.exists())
        .unwrap_or(newest)
}

fn expand(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(vars: &[(&str, &str)]) -> Result<StateDir, NoStateDir> {
        StateDir::from_env(|name| {
            vars.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn t80_variables_in_their_order() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[("HOME", "/h")], "/h/.openclaw"),
            (&[("HOME", "/h"), ("OPENCLAW_HOME", "/o")], "/o/.openclaw"),
            (
                &[("HOME", "/h"), ("OPENCLAW_HOME", "~/o")],
                "/h/o/.openclaw",
            ),
            (&[("HOME", "/h"), ("CLAWDBOT_STATE_DIR", "~/c")], "/h/c"),
            (
                &[("CLAWDBOT_STATE_DIR", "/c"), ("OPENCLAW_STATE_DIR", "/s")],
                "/s",
            ),
            (
                &[("HOME", "/h"), ("OPENCLAW_STATE_DIR", " ")],
                "/h/.openclaw",
            ),
        ];
        for (vars, root) in table {
            assert_eq!(resolve(vars).unwrap().root(), Path::new(root), "{vars:?}");
        }
        assert_eq!(resolve(&[]), Err(NoStateDir));
    }

    #[test]
    fn credentials_can_be_elsewhere() {
        let vars = [("OPENCLAW_STATE_DIR", "/s"), ("OPENCLAW_OAUTH_DIR", "/c")];
        assert_eq!(resolve(&vars).unwrap().credentials(), Path::new("/c"));
        assert_eq!(
            resolve(&vars[..1]).unwrap().credentials(),
            Path::new("/s/credentials")
        );
    }

    #[test]
    fn the_configuration_can_be_elsewhere() {
        let vars = [
            ("HOME", "/h"),
            ("OPENCLAW_STATE_DIR", "/s"),
            ("OPENCLAW_CONFIG_PATH", "~/c.json5"),
        ];
        assert_eq!(resolve(&vars).unwrap().config(), Path::new("/h/c.json5"));
        assert_eq!(
            resolve(&vars[..2]).unwrap().config(),
            Path::new("/s/openclaw.json")
        );
        assert_eq!(StateDir::at("/s").config(), Path::new("/s/openclaw.json"));
    }

    #[test]
    fn older_directories_are_found_where_the_newest_is_missing() {
        let home = tempfile::tempdir().unwrap();
        let vars = [("HOME", home.path().to_str().unwrap())];
        std::fs::create_dir(home.path().join(".moltbot")).unwrap();
        assert_eq!(resolve(&vars).unwrap().root(), home.path().join(".moltbot"));
        std::fs::create_dir(home.path().join(".clawdbot")).unwrap();
        assert_eq!(
            resolve(&vars).unwrap().root(),
            home.path().join(".clawdbot")
        );
        std::fs::create_dir(home.path().join(".openclaw")).unwrap();
        assert_eq!(
            resolve(&vars).unwrap().root(),
            home.path().join(".openclaw")
        );
    }
}
