//! References to secrets: `{ source, provider, id }`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use pairing_core::escape;
use zeroize::Zeroizing;

use crate::tree::{self, Node, Value};

/// The largest file of secrets that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// `secrets`: where the references of a configuration lead.
#[derive(Default)]
pub(crate) struct Providers {
    /// The alias that means the environment without an entry of its own.
    env_default: Option<String>,
    entries: BTreeMap<String, Provider>,
    /// The files that were read already.
    files: RefCell<BTreeMap<PathBuf, Result<Zeroizing<String>, String>>>,
}

enum Provider {
    /// The environment; of these names alone, where there is a list.
    Env(Option<Vec<String>>),
    File {
        path: String,
        /// Whether the whole file is one secret; else it is JSON.
        is_single: bool,
    },
    /// Another source.
    Other,
}

/// What is needed to follow a reference.
pub(crate) struct Sources<'s> {
    /// The value of a variable.
    pub(crate) variable: &'s dyn Fn(&str) -> Option<Zeroizing<String>>,
    /// The environment, for `~`.
    pub(crate) var: &'s dyn Fn(&str) -> Option<OsString>,
    /// The directory of `openclaw.json`; `None` for a text without a file.
    pub(crate) dir: Option<&'s Path>,
}

impl Providers {
    pub(crate) fn read(secrets: Option<&Node>) -> Self {
        let Some(secrets) = secrets else {
            return Self::default();
        };
        let text = |node: Option<&Node>| node?.text().map(|text| text.to_string());
        let defaults = secrets.member("defaults");
        let env_default = text(defaults.and_then(|defaults| defaults.member("env")));
        let providers = secrets.member("providers").map(Node::members);
        let entries = providers.unwrap_or_default().iter().map(|member| {
            let node = &member.node;
            let source = text(node.member("source"));
            let provider = match source.as_deref() {
                Some("env") => Provider::Env(node.member("allowlist").map(texts)),
                Some("file") => Provider::File {
                    path: text(node.member("path")).unwrap_or_default(),
                    is_single: text(node.member("mode")).as_deref() == Some("singleValue"),
                },
                _ => Provider::Other,
            };
            (member.key.clone(), provider)
        });
        Self {
            env_default,
            entries: entries.collect(),
            files: RefCell::default(),
        }
    }

    /// The value that a reference leads to, or what is wrong with it. No text that comes of it holds a value.
    pub(crate) fn resolve(
        &self,
        reference: &Node,
        sources: &Sources<'_>,
    ) -> Result<Zeroizing<String>, String> {
        let text = |key: &str| {
            let text = reference.member(key)?.text()?;
            Some(text.as_str()).filter(|text| !text.is_empty())
        };
        let (Some(source), Some(id)) = (text("source"), text("id")) else {
            return Err(
                "is no reference to a secret: that has the texts `source`, `provider` and `id`"
                    .to_owned(),
            );
        };
        let alias = text("provider").unwrap_or("default");
        match source {
            "env" => self.variable(alias, id, sources),
            "file" => self.in_file(alias, id, sources),
            "exec" => Err(
                "asks a program for the secret, and none is run from here: use the source `env` or \
                 `file`"
                    .to_owned(),
            ),
            "store" => Err(
                "is kept in OpenClaw's secret store, which is not read here: use the source `env` or \
                 `file`"
                    .to_owned(),
            ),
            other => Err(format!(
                "has the unknown source `{}`: use `env` or `file`",
                escape(other).limit(32)
            )),
        }
    }

    fn variable(
        &self,
        alias: &str,
        id: &str,
        sources: &Sources<'_>,
    ) -> Result<Zeroizing<String>, String> {
        let shown = escape(id).limit(64);
        match self.entries.get(alias) {
            Some(Provider::Env(Some(names))) if !names.iter().any(|name| name == id) => {
                let alias = escape(alias).limit(64);
                return Err(format!(
                    "refers to {shown}, which the allowlist of secrets.providers.{alias} does not hold"
                ));
            }
            Some(Provider::Env(_)) => {}
            _ if alias == self.env_default.as_deref().unwrap_or("default") => {}
            _ => return Err(no_provider(alias, "env")),
        }
        let value = (sources.variable)(id);
        value.ok_or_else(|| format!("refers to {shown}, which is not set"))
    }

    fn in_file(
        &self,
        alias: &str,
        id: &str,
        sources: &Sources<'_>,
    ) -> Result<Zeroizing<String>, String> {
        let Some(Provider::File { path, is_single }) = self.entries.get(alias) else {
            return Err(no_provider(alias, "file"));
        };
        let Some(dir) = sources.dir else {
            return Err("refers to a file, and a text without a file has none".to_owned());
        };
        let shown = escape(path).limit(256);
        let path = dir.join(in_home(path, sources.var));
        let mut files = self.files.borrow_mut();
        let read = files.entry(path.clone()).or_insert_with(|| contents(&path));
        let text = read
            .as_ref()
            .map_err(|detail| format!("refers to {shown}, which {detail}"))?;
        let found = if *is_single {
            let line = text.strip_suffix('\n').unwrap_or(text);
            let line = line.strip_suffix('\r').unwrap_or(line);
            (id == "value").then(|| Zeroizing::new(line.to_owned()))
        } else {
            let root = tree::parse(text, None, &[])
                .map_err(|_| format!("refers to {shown}, which is not JSON"))?;
            pointed(&root, id).and_then(Node::text).cloned()
        };
        let found = found.filter(|text| !text.trim().is_empty());
        found.ok_or_else(|| {
            format!(
                "refers to {shown}, which has no text at `{}`",
                escape(id).limit(128)
            )
        })
    }
}

fn texts(node: &Node) -> Vec<String> {
    match &node.value {
        Value::List(nodes) => nodes
            .iter()
            .filter_map(|node| Some(node.text()?.to_string()))
            .collect(),
        // A list that cannot be understood lets nothing through.
        _ => Vec::new(),
    }
}

fn no_provider(alias: &str, source: &str) -> String {
    let alias = escape(alias).limit(64);
    format!(
        "names the provider `{alias}`, and secrets.providers has none of that name for `{source}`"
    )
}

fn in_home(path: &str, var: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| var(name).filter(|value| !value.to_string_lossy().trim().is_empty());
    let home = || set("OPENCLAW_HOME").or_else(|| set("HOME"));
    match path
        .strip_prefix("~/")
        .and_then(|rest| Some((rest, home()?)))
    {
        Some((rest, home)) => PathBuf::from(home).join(rest),
        None => path.into(),
    }
}

/// The text of a file that only its owner can read.
fn contents(path: &Path) -> Result<Zeroizing<String>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let found = fs::symlink_metadata(path).map_err(unreadable)?;
    if !found.is_file() {
        return Err("is not a file itself".to_owned());
    }
    if is_open_to_others(&found) {
        return Err("others on this machine may read or write: chmod 600 it".to_owned());
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Zeroizing::new(Vec::new());
    let mut file = file.take(MAX_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("is larger than 1 MiB".to_owned());
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("is not UTF-8".to_owned()),
    }
}

#[cfg(unix)]
fn is_open_to_others(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

/// The node at a JSON pointer (RFC 6901).
fn pointed<'n>(root: &'n Node, pointer: &str) -> Option<&'n Node> {
    let mut node = root;
    for part in pointer.strip_prefix('/')?.split('/') {
        let key = part.replace("~1", "/").replace("~0", "~");
        node = match &node.value {
            Value::List(nodes) => nodes.get(key.parse::<usize>().ok()?)?,
            _ => node.member(&key)?,
        };
    }
    Some(node)
}
