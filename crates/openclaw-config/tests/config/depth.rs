//! No text is deeper for the parser than it was found to be.

use std::cell::Cell;
use std::fmt;

use openclaw_config::Config;
use proptest::prelude::*;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Notes how deep the parser goes, wherever it then gives up.
#[derive(Clone, Copy)]
struct Diver<'d> {
    deepest: &'d Cell<usize>,
    depth: usize,
}

impl Diver<'_> {
    fn down(self) -> Self {
        let depth = self.depth + 1;
        self.deepest.set(self.deepest.get().max(depth));
        Self { depth, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Diver<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Diver<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let below = self.down();
        while list.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let below = self.down();
        while map.next_key::<String>()?.is_some() {
            map.next_value_seed(below)?;
        }
        Ok(())
    }
}

fn depth(text: &str) -> usize {
    let deepest = Cell::new(0);
    let diver = Diver {
        deepest: &deepest,
        depth: 0,
    };
    // What the parser makes of it is nothing to us.
    let _ = diver.deserialize(&mut json5::Deserializer::from_str(text));
    deepest.get()
}

fn is_too_deep(text: &str) -> bool {
    let Err(error) = Config::parse(text) else {
        return false;
    };
    error.to_string().starts_with("brackets are nested")
}

#[test]
fn the_measure_measures() {
    assert_eq!(depth("[{a: [1]}, 2]"), 3);
    assert_eq!(depth("['[[', /* [ */ [}"), 2);
    let deep = "[".repeat(64);
    assert_eq!((depth(&deep), is_too_deep(&deep)), (64, false));
    let deeper = "[".repeat(65);
    assert_eq!((depth(&deeper), is_too_deep(&deeper)), (65, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_dives_below(pieces in prop::collection::vec(prop::sample::select(vec![
        "[", "[", "[", "[[", "{a:", "{'a':", "]", "}", ",", "'", "\"", "\\", "\\'", "'\\\\'", "/", "*",
        "/*", "*/", "/*/", "//", "\n", "\r", "\u{2028}", " ", "\u{a0}", "a", "1", "-", "0x", "null,", "'x',",
        "\"y\",", "/**/", "\\u0027", "\u{85}", "\u{feff}",
    ]), 0..60)) {
        // Just above the limit, so that a bracket more is one too many.
        let text = "[".repeat(60) + &pieces.concat();
        prop_assert!(is_too_deep(&text) || depth(&text) <= 64, "{text:?}");
    }
}
