//! What a configuration is composed of: `$include`d files, variables, and the `.env` file.

mod dotenv;
mod include;
mod variables;

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::{ConfigError, Fault, Place};
use crate::tree::{self, Node};

pub(crate) use dotenv::Dotenv;
pub(crate) use variables::{is_reference_left, name_of_short};

use include::Includes;

/// The environment's variables.
pub(crate) type Var<'v> = &'v dyn Fn(&str) -> Option<OsString>;

/// The top-level members that are read.
const SECTIONS: [&str; 11] = [
    "$include",
    "accessGroups",
    "channels",
    "commands",
    "env",
    "gateway",
    "pairing",
    "plugins",
    "secrets",
    "session",
    "state",
];

/// What surrounds a configuration: the directories it may name files in, and the environment.
pub(crate) struct Surroundings<'v> {
    /// The configuration file; `None` for a text, which can name no other file.
    pub(crate) path: Option<&'v Path>,
    pub(crate) var: Var<'v>,
    pub(crate) dotenv: Dotenv,
}

/// A configuration with everything in its place.
pub(crate) struct Composed {
    pub(crate) root: Node,
    pub(crate) faults: Vec<Arc<Fault>>,
    /// The files that were included.
    pub(crate) files: Vec<PathBuf>,
    /// Variables that the configuration itself sets.
    pub(crate) inline: Vec<(String, Zeroizing<String>)>,
}

/// Parses a text, includes files, and substitutes variables.
pub(crate) fn compose(
    text: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Composed, ConfigError> {
    let root = tree::parse(text, None, &SECTIONS)?;
    let faults = RefCell::new(Vec::new());
    let mut includes = Includes::new(surroundings, &faults);
    let mut root = includes.resolve(root);
    let files = includes.into_files();
    let inline = variables::inline(&root);
    let lookup = |name: &str| surroundings.variable(name, &inline);
    variables::substitute(&mut root, &lookup);
    Ok(Composed {
        root,
        faults: faults.into_inner(),
        files,
        inline,
    })
}

impl Surroundings<'_> {
    /// The value of a variable that is not blank: from the environment, else `.env`, else the
    /// configuration's own.
    pub(crate) fn variable(
        &self,
        name: &str,
        inline: &[(String, Zeroizing<String>)],
    ) -> Option<Zeroizing<String>> {
        let is_set = |text: &Zeroizing<String>| !text.trim().is_empty();
        let environment = (self.var)(name).and_then(|value| value.into_string().ok());
        let inline = inline.iter().rev().find(|(known, _)| known == name);
        environment
            .map(Zeroizing::new)
            .filter(is_set)
            .or_else(|| self.dotenv.get(name).cloned().filter(is_set))
            .or_else(|| inline.map(|(_, value)| value.clone()).filter(is_set))
    }
}

fn fault(key: &str, place: &Place, detail: impl Into<String>) -> Arc<Fault> {
    Arc::new(Fault::new(key, detail).at(Some(place)))
}
