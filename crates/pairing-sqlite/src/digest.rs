//! Short digests of what is stored, as versions and marks.

use sha2::{Digest as _, Sha256};

/// A digest of several parts, which differs wherever a part or the division into parts does.
#[derive(Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Returns the first 63 bits; never zero, which stands for what is absent.
    pub(crate) fn finish(self) -> u64 {
        let digest = self.0.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        (u64::from_le_bytes(first) >> 1).max(1)
    }
}

pub(crate) fn of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    let mut digest = Digest::default();
    for part in parts {
        digest.add(part);
    }
    digest.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_division_counts() {
        assert_eq!(of([&b"a"[..], b"b"]), of([&b"a"[..], b"b"]));
        assert_ne!(of([&b"ab"[..], b""]), of([&b"a"[..], b"b"]));
        assert_ne!(of([]), of([&b""[..]]));
    }
}
