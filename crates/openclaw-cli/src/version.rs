//! `openclaw --version --verbose`: what a report about a fault needs.

use std::fmt::Write as _;

/// The commit that this program was built from, or `unknown`.
pub(crate) const COMMIT: &str = env!("OPENCLAW_COMMIT");

/// The features that can be left out of a build, and whether this one has them.
const FEATURES: &[(&str, bool)] = &[("etcd", cfg!(feature = "etcd"))];

/// Lists the version, the commit, the features and the compiler.
pub(crate) fn verbose() -> String {
    let has = FEATURES.iter().filter(|(_, is_built_in)| *is_built_in);
    let has: Vec<_> = has.map(|(name, _)| *name).collect();
    let features = if has.is_empty() {
        "none".to_owned()
    } else {
        has.join(", ")
    };
    let facts = [
        ("commit", COMMIT),
        ("features", &features),
        ("rustc", env!("OPENCLAW_RUSTC")),
        ("target", env!("OPENCLAW_TARGET")),
    ];
    let mut text = format!("openclaw {}\n", env!("CARGO_PKG_VERSION"));
    for (name, fact) in facts {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:<10}{fact}", format!("{name}:"));
    }
    text
}
