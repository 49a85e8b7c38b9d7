//! Files of an install other than its records, readable by their owner only.

use std::path::Path;

use pairing_core::StoreError;
use zeroize::Zeroize as _;

use crate::disk::{Disk, Publication};

/// Creates a directory and its missing parents, mode 0700 whatever the umask. An existing directory stays
/// unchanged.
pub fn create_dir(dir: &Path) -> Result<(), StoreError> {
    Disk::default().create_dir(dir)
}

/// Creates a file that holds `text`, mode 0600 whatever the umask. Returns `false` if one already exists;
/// the existing file stays unchanged.
///
/// The file is always either missing or complete, even after a power failure; if several processes
/// create it at the same time, exactly one succeeds.
pub fn create_file(path: &Path, text: &str) -> Result<bool, StoreError> {
    Disk::default().publish_new(path, text)
}

/// Replaces a file with one that holds `text`, mode 0600 whatever the umask.
///
/// The file is always either the old one or the new one, even after a power failure.
pub fn replace_file(path: &Path, text: &str) -> Result<(), StoreError> {
    let mut publication = [Publication {
        path: path.to_owned(),
        text: text.to_owned(),
    }];
    let published = Disk::default().publish(&publication);
    publication[0].text.zeroize();
    published
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn made_once_and_for_the_owner() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/secret");
        assert!(create_file(&file, "one").is_err(), "there is no directory");
        create_dir(file.parent().unwrap()).unwrap();
        create_dir(file.parent().unwrap()).unwrap();
        assert!(create_file(&file, "one").unwrap());
        assert!(!create_file(&file, "two").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        replace_file(&file, "three").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
        for (path, mode) in [(file.as_path(), 0o600), (&dir.path().join("a"), 0o700)] {
            let found = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
    }
}
