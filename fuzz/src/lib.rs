//! What holds for every file that keeps records, whatever was in it: the fuzz targets hand in the text.

pub mod registry;

use std::collections::BTreeMap;

use pairing_core::{ChannelId, ChannelRules, Channels, Key, Record};
use pairing_fs::fuzzing::{Format, Said, edit, read};
use serde_json::value::RawValue;

/// Reads the text as the file of a channel with strict ids and of one with free ones, and checks that a
/// change of it changes what it means to and nothing else.
pub fn rewriting(format: Format, text: &str, sample: impl Fn(&ChannelRules) -> Record) {
    let channels = Channels::builtin();
    for channel in ["telegram", "discord"] {
        let id = ChannelId::parse(channel).expect("a channel name");
        let rules = channels.get(&id).expect("a built-in channel");
        File { format, rules }.check(text, &sample(rules));
    }
}

struct File<'r> {
    format: Format,
    rules: &'r ChannelRules,
}

impl File<'_> {
    fn check(&self, text: &str, sample: &Record) {
        let Ok(before) = read(self.format, text, self.rules) else {
            // What cannot be read cannot be written over.
            assert!(edit(self.format, text, self.rules, Some(sample), None).is_err());
            return;
        };
        assert_eq!(self.edit(text, None, None), None);
        for record in before.records.iter().take(3) {
            self.delete(text, &before, &record.key());
        }
        self.put(text, &before, sample);
    }

    /// Afterwards the record is gone, and everything else is there as it was written.
    fn delete(&self, text: &str, before: &Said, key: &Key) {
        let after = self.edit(text, None, Some(key)).expect("it was there");
        let said = self.read(&after);
        assert_eq!(said.records, others(before, key));
        assert_eq!(said.passed_over, before.passed_over);
        self.same_elsewhere(text, &after);
        let mut left = self.elements(text).into_iter();
        for element in self.elements(&after) {
            assert!(left.any(|old| old == element), "{element} is new");
        }
        assert_eq!(
            self.edit(&after, None, Some(key)).unwrap_or(after.clone()),
            after
        );
    }

    /// Afterwards the record is there once, and everything else as it was written.
    fn put(&self, text: &str, before: &Said, new: &Record) {
        let key = new.key();
        let known = others(before, &key).len() < before.records.len();
        let Some(after) = self.edit(text, Some(new), None) else {
            assert!(known, "a new record was not written");
            return;
        };
        let said = self.read(&after);
        assert_eq!(others(&said, &key), others(before, &key));
        assert_eq!(said.passed_over, before.passed_over);
        let found: Vec<_> = said.records.iter().filter(|r| r.key() == key).collect();
        assert_eq!(found, [new]);
        self.same_elsewhere(text, &after);

        // Once more changes nothing; out and in again leads back to the same bytes.
        assert_eq!(
            self.edit(&after, Some(new), None).unwrap_or(after.clone()),
            after
        );
        if !known {
            let kept = self.elements(text);
            if self.format != Format::Counters {
                assert_eq!(self.elements(&after)[..kept.len()], kept);
            }
            let out = self.edit(&after, None, Some(&key)).expect("it is there");
            assert_eq!(self.edit(&out, Some(new), None).as_ref(), Some(&after));
        }
    }

    fn read(&self, text: &str) -> Said {
        read(self.format, text, self.rules)
            .unwrap_or_else(|e| panic!("{e} in what we wrote: {text}"))
    }

    fn edit(&self, text: &str, put: Option<&Record>, delete: Option<&Key>) -> Option<String> {
        edit(self.format, text, self.rules, put, delete)
            .unwrap_or_else(|e| panic!("{e} in what could be read: {text}"))
    }

    /// Members that are not ours keep their bytes.
    fn same_elsewhere(&self, before: &str, after: &str) {
        let foreign = |text| {
            let mut members = members(text);
            for list in self.lists() {
                members.remove(*list);
            }
            assert_eq!(members.remove("version").unwrap_or("1"), "1");
            members
                .into_iter()
                .map(|(k, v)| (k, v.to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(foreign(after), foreign(before));
        assert!(after.ends_with("}\n"));
    }

    /// The elements of its lists, as they are written.
    fn elements(&self, text: &str) -> Vec<String> {
        let members = members(text);
        let lists = self.lists().iter().filter_map(|list| members.get(*list));
        lists
            .flat_map(|list| serde_json::from_str::<Vec<&RawValue>>(list).expect("a list"))
            .map(|element| element.get().to_owned())
            .collect()
    }

    fn lists(&self) -> &'static [&'static str] {
        match self.format {
            Format::Requests => &["requests"],
            Format::Allowed => &["allowFrom"],
            Format::Grants => &["grants"],
            Format::Counters => &["attempts", "turnedAway"],
            Format::Claims => &["claims"],
            other => unreachable!("{other:?} is no list"),
        }
    }
}

fn members(text: &str) -> BTreeMap<String, &str> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).expect("an object");
    members.into_iter().map(|(k, v)| (k, v.get())).collect()
}

fn others(said: &Said, key: &Key) -> Vec<Record> {
    let others = said.records.iter().filter(|record| record.key() != *key);
    others.cloned().collect()
}
