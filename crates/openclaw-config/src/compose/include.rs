//! `$include`: parts of the configuration that stand in files of their own.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairing_core::escape;
use zeroize::Zeroizing;

use super::{Surroundings, fault};
use crate::error::{Fault, Place};
use crate::tree::{self, Member, Node, Value};

const INCLUDE: &str = "$include";

/// How many files may include each other in a row,
const MAX_DEPTH: usize = 10;

/// how many are read in all,
const MAX_FILES: usize = 200;

/// how large one of them may be, in bytes,
const MAX_BYTES: u64 = 2 << 20;

/// and all of them together.
const MAX_TOTAL: usize = 16 << 20;

/// Puts the contents of included files in their places.
///
/// - A file that cannot be included breaks the object that it belongs in: what is not written there
///   otherwise is not known ([`Node::broken`]).
/// - A path is relative to the file that names it, and leads to a file below the directory of
///   `openclaw.json`, or below one that `OPENCLAW_INCLUDE_ROOTS` names; symbolic links are followed first.
/// - Bounded: see the constants. No file is included within itself.
pub(super) struct Includes<'s> {
    /// The directory of `openclaw.json`, as it is written; `None` for a text without one.
    base: Option<PathBuf>,
    roots: Vec<PathBuf>,
    faults: &'s RefCell<Vec<Arc<Fault>>>,
    /// The files that are being included, the outermost first.
    open: Vec<PathBuf>,
    /// The files that were looked for.
    files: Vec<PathBuf>,
    reads: usize,
    total: usize,
}

impl<'s> Includes<'s> {
    pub(super) fn new(
        surroundings: &Surroundings<'_>,
        faults: &'s RefCell<Vec<Arc<Fault>>>,
    ) -> Self {
        let base = surroundings.path.and_then(Path::parent);
        let canonical = |path: &Path| path.canonicalize().ok();
        let named = (surroundings.var)("OPENCLAW_INCLUDE_ROOTS").unwrap_or_default();
        let named = std::env::split_paths(&named).filter(|path| path.is_absolute());
        let roots = base
            .map(Path::to_owned)
            .into_iter()
            .chain(named)
            .filter_map(|path| canonical(&path));
        Self {
            base: base.map(Path::to_owned),
            roots: roots.collect(),
            faults,
            open: surroundings.path.and_then(canonical).into_iter().collect(),
            files: Vec::new(),
            reads: 0,
            total: 0,
        }
    }

    /// The tree with everything in it.
    pub(super) fn resolve(&mut self, root: Node) -> Node {
        let base = self.base.clone();
        self.within(root, "", base.as_deref())
    }

    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files
    }

    /// The node with everything in it; `dir` is where its relative paths start.
    fn within(&mut self, node: Node, path: &str, dir: Option<&Path>) -> Node {
        let Node {
            place,
            value,
            broken,
        } = node;
        let value = match value {
            Value::Table(members) => return self.table(members, place, broken, path, dir),
            Value::List(nodes) => {
                let nodes = nodes.into_iter().enumerate();
                let nodes =
                    nodes.map(|(at, node)| self.within(node, &format!("{path}[{at}]"), dir));
                Value::List(nodes.collect())
            }
            value => value,
        };
        Node {
            place,
            value,
            broken,
        }
    }

    fn table(
        &mut self,
        members: Vec<Member>,
        place: Place,
        broken: Option<Arc<Fault>>,
        path: &str,
        dir: Option<&Path>,
    ) -> Node {
        let mut includes = Vec::new();
        let mut own = Vec::with_capacity(members.len());
        for mut member in members {
            let key = joined(path, &member.key);
            if member.key == INCLUDE {
                includes.push((key, member.node));
            } else {
                member.node = self.within(member.node, &key, dir);
                own.push(member);
            }
        }
        let mut node = Node {
            place,
            value: Value::Table(own),
            broken,
        };
        // The last one counts, as of any key.
        let Some((key, include)) = includes.pop() else {
            return node;
        };
        let has_siblings = !node.members().is_empty();
        match self.included(&key, path, &include, dir) {
            Ok(included) if matches!(included.value, Value::Table(_)) => {
                let place = node.place.clone();
                let mut merged = merge(included, node);
                merged.place = place;
                merged
            }
            Ok(included) if !has_siblings => included,
            Ok(_) => {
                let detail = "is no object, and has keys beside it";
                node.broken = Some(self.fault(&key, &include.place, detail));
                node
            }
            Err(fault) => {
                node.broken = Some(fault);
                node
            }
        }
    }

    /// What an `$include` stands for.
    fn included(
        &mut self,
        key: &str,
        path: &str,
        include: &Node,
        dir: Option<&Path>,
    ) -> Result<Node, Arc<Fault>> {
        match &include.value {
            Value::Text(_) => self.file(key, path, include, dir),
            Value::List(nodes) => {
                let mut all = Node::new(include.place.clone(), Value::Table(Vec::new()));
                for (at, node) in nodes.iter().enumerate() {
                    let key = format!("{key}[{at}]");
                    all = merge(all, self.file(&key, path, node, dir)?);
                }
                Ok(all)
            }
            _ => {
                let detail = format!("{} is not a path, nor a list of paths", include.kind());
                Err(self.fault(key, &include.place, detail))
            }
        }
    }

    /// The contents of one file, with what they include.
    fn file(
        &mut self,
        key: &str,
        path: &str,
        include: &Node,
        dir: Option<&Path>,
    ) -> Result<Node, Arc<Fault>> {
        let refused = |this: &Self, detail: String| this.fault(key, &include.place, detail);
        let Some(written) = include.text() else {
            return Err(refused(self, format!("{} is not a path", include.kind())));
        };
        let shown = escape(written).limit(256);
        if written.contains("${") {
            return Err(refused(self, format!("{shown} may not hold a variable")));
        }
        let Some(dir) = dir else {
            return Err(refused(
                self,
                "a text without a file includes none".to_owned(),
            ));
        };
        let found = self.find(&dir.join(written.as_str()));
        let found = found.map_err(|detail| refused(self, format!("{shown} {detail}")))?;
        let text = self.read(&found);
        let text = text.map_err(|detail| refused(self, format!("{shown} {detail}")))?;
        let name: Arc<str> = shown.to_string().into();
        let node = tree::parse(&text, Some(&name), sections(path)).map_err(|error| {
            let mut fault = error.fault().clone();
            fault.key = Some(key.to_owned());
            fault.file = Some(name.to_string());
            self.told(fault)
        })?;
        let dir = found.parent().map(Path::to_owned);
        self.open.push(found);
        let node = self.within(node, path, dir.as_deref());
        self.open.pop();
        Ok(node)
    }

    /// The file that a path leads to, if it may be included.
    fn find(&mut self, path: &Path) -> Result<PathBuf, String> {
        if path.as_os_str().len() >= 4096 {
            return Err("is too long for a path".to_owned());
        }
        if self.files.len() < MAX_FILES && !self.files.iter().any(|known| known == path) {
            self.files.push(path.to_owned());
        }
        let found = path.canonicalize();
        let found = found.map_err(|error| format!("cannot be read: {error}"))?;
        if !self.roots.iter().any(|root| found.starts_with(root)) {
            return Err("is outside the directory of openclaw.json".to_owned());
        }
        if self.open.contains(&found) {
            return Err("includes itself".to_owned());
        }
        // The configuration itself is the first of those that are open.
        if self.open.len() > MAX_DEPTH {
            return Err(format!("is nested more than {MAX_DEPTH} files deep"));
        }
        Ok(found)
    }

    fn read(&mut self, path: &Path) -> Result<Zeroizing<String>, String> {
        self.reads += 1;
        if self.reads > MAX_FILES {
            return Err(format!(
                "is one too many: at most {MAX_FILES} files are included"
            ));
        }
        let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
        // Opening anything else, such as a pipe, may wait for ever.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err("is not a file".to_owned());
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let file = fs::File::open(path).map_err(unreadable)?;
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        let read = read.map_err(unreadable)?;
        self.total += read;
        if read as u64 > MAX_BYTES {
            return Err(format!("is larger than {} MiB", MAX_BYTES >> 20));
        }
        if self.total > MAX_TOTAL {
            let most = MAX_TOTAL >> 20;
            return Err(format!("is too much: at most {most} MiB are included"));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err("is not UTF-8".to_owned()),
        }
    }

    fn fault(&self, key: &str, place: &Place, detail: impl Into<String>) -> Arc<Fault> {
        let fault = fault(key, place, detail);
        self.told((*fault).clone())
    }

    fn told(&self, fault: Fault) -> Arc<Fault> {
        let fault = Arc::new(fault);
        self.faults.borrow_mut().push(fault.clone());
        fault
    }
}

/// The members that are read of a file: of the whole configuration, only some.
fn sections(path: &str) -> &'static [&'static str] {
    if path.is_empty() {
        &super::SECTIONS
    } else {
        &[]
    }
}

fn joined(path: &str, key: &str) -> String {
    let key = escape(key).limit(64);
    if path.is_empty() {
        key.to_string()
    } else {
        format!("{path}.{key}")
    }
}

/// One node over another: objects are merged key by key, lists follow one another, and of anything else the
/// upper one counts.
fn merge(lower: Node, upper: Node) -> Node {
    let Node {
        place,
        value,
        broken,
    } = upper;
    match (lower.value, value) {
        (Value::Table(lower_members), Value::Table(members)) => Node {
            place,
            value: Value::Table(merged(lower_members, members)),
            broken: broken.or(lower.broken),
        },
        (Value::List(mut nodes), Value::List(upper)) => {
            nodes.extend(upper);
            let value = Value::List(nodes);
            Node {
                place,
                value,
                broken,
            }
        }
        (_, value) => Node {
            place,
            value,
            broken,
        },
    }
}

fn merged(mut lower: Vec<Member>, upper: Vec<Member>) -> Vec<Member> {
    let mut seen = HashSet::new();
    let last = upper.into_iter().rev();
    let last = last.filter(|member| seen.insert(member.key.clone()));
    let upper: Vec<_> = last.collect();
    let keys = lower.iter().enumerate();
    let mut at: HashMap<_, _> = keys.map(|(at, member)| (member.key.clone(), at)).collect();
    for member in upper.into_iter().rev() {
        if let Some(&at) = at.get(&member.key) {
            let empty = Node::new(Place::default(), Value::Null);
            let under = std::mem::replace(&mut lower[at].node, empty);
            lower[at] = Member {
                node: merge(under, member.node),
                ..member
            };
        } else {
            at.insert(member.key.clone(), lower.len());
            lower.push(member);
        }
    }
    lower
}
