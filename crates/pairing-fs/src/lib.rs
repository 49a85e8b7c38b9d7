//! OpenClaw pairing state on files.

mod paths;

pub use paths::{NoStateDir, StateDir};
