//! Which number and id name the same person.

use std::collections::{BTreeSet, VecDeque};

use channel_kit::SavedText;
use serde::{Deserialize, Serialize};

use crate::Number;
use crate::uuid::Uuid;

/// Maximum number of persons that are remembered. The one who has not written for the longest time is forgotten.
const MOST: usize = 2000;

/// The persons that were seen; the one who wrote last is the last one.
#[derive(Debug, Default)]
pub(crate) struct People(VecDeque<Person>);

#[derive(Debug, Clone)]
struct Person {
    uuid: Uuid,
    number: Option<Number>,
    /// Whether they were first seen with a number.
    began_with_number: bool,
    /// Whether somebody else was seen with their number before. It does not name this person then: what was approved
    /// for the number was approved for the other one.
    has_anothers_number: bool,
}

/// A person, by the name under which they were first seen, and by the other one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) sender: String,
    pub(crate) also: Option<String>,
    /// Whether this was not known before, and is to be saved.
    pub(crate) is_news: bool,
    /// Whether their number was seen with somebody else before, and is seen with them for the first time.
    pub(crate) took_number_over: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    /// The account and daemon at which they were seen.
    account: String,
    /// Id, number, and whether the number came first.
    people: Vec<(String, Option<String>, bool)>,
    /// The ids of those whose number was somebody else's before. Earlier versions did not write it.
    #[serde(default)]
    with_anothers_number: BTreeSet<String>,
}

impl People {
    /// The persons that were saved; nobody if nothing was, if it is another account's, or if it cannot be read.
    pub(crate) fn load(saved: &dyn SavedText, account: &str) -> Self {
        let file = saved
            .load()
            .and_then(|text| serde_json::from_str(&text).ok());
        let file = file.filter(|file: &File| file.version == 1 && file.account == account);
        let mut people = Self::default();
        let Some(file) = file else { return people };
        for (uuid, number, began_with_number) in file.people {
            let number = number.map(|number| Number::parse(&number)).transpose();
            if let (Some(uuid), Ok(number)) = (Uuid::parse(&uuid), number) {
                people.add(Person {
                    has_anothers_number: file.with_anothers_number.contains(uuid.as_str()),
                    uuid,
                    number,
                    began_with_number,
                });
            }
        }
        people
    }

    /// The text to save.
    pub(crate) fn text(&self, account: &str) -> String {
        let row = |person: &Person| {
            (
                person.uuid.as_str().to_owned(),
                person.number.as_ref().map(Number::to_string),
                person.began_with_number,
            )
        };
        let mut with_anothers_number = BTreeSet::new();
        for person in self.0.iter().filter(|person| person.has_anothers_number) {
            with_anothers_number.insert(person.uuid.as_str().to_owned());
        }
        let file = File {
            version: 1,
            account: account.to_owned(),
            people: self.0.iter().map(row).collect(),
            with_anothers_number,
        };
        // Texts and flags always serialise.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }

    /// Who somebody is, by what a message says of them: a number, an id, or both, which is remembered. `None` if it says
    /// neither, or nothing but a number that was seen with two persons.
    ///
    /// What must hold: a number names nobody but the first person who was seen with it.
    pub(crate) fn identify(
        &mut self,
        number: Option<Number>,
        uuid: Option<Uuid>,
    ) -> Option<Identity> {
        let Some(uuid) = uuid else {
            // Very old clients have no id; they are known by their number alone.
            let number = number?;
            let is_ambiguous = |person: &Person| {
                person.has_anothers_number && person.number.as_ref() == Some(&number)
            };
            return (!self.0.iter().any(is_ambiguous)).then(|| Identity {
                sender: number.to_string(),
                also: None,
                is_news: false,
                took_number_over: false,
            });
        };
        let mut is_anothers = false;
        if let Some(number) = &number {
            // Whoever had this number before has it no more.
            for other in &mut self.0 {
                if other.uuid != uuid && other.number.as_ref() == Some(number) {
                    other.number = None;
                    other.has_anothers_number = false;
                    is_anothers = true;
                }
            }
        }
        let at = self.0.iter().position(|person| person.uuid == uuid);
        let known = at.and_then(|at| self.0.remove(at));
        let mut is_news = known.is_none() || is_anothers;
        let mut person = known.unwrap_or(Person {
            began_with_number: number.is_some() && !is_anothers,
            uuid,
            number: None,
            has_anothers_number: false,
        });
        if number.is_some() && person.number != number {
            person.number = number;
            person.has_anothers_number = is_anothers;
            is_news = true;
        }
        self.add(person.clone());
        let by_id = format!("uuid:{}", person.uuid.as_str());
        let by_number = person.number.filter(|_| !person.has_anothers_number);
        let by_number = by_number.map(|number| number.to_string());
        let (sender, also) = match by_number {
            Some(number) if person.began_with_number => (number, Some(by_id)),
            number => (by_id, number),
        };
        Some(Identity {
            sender,
            also,
            is_news,
            took_number_over: is_anothers,
        })
    }

    fn add(&mut self, person: Person) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(person);
    }
}

#[cfg(test)]
mod tests {
    use channel_kit::InMemory;

    use super::*;

    const ANN: &str = "7b0ab3c4-6f3c-4e0e-9a51-0f1b2c3d4e5f";
    const BEN: &str = "00000000-0000-4000-8000-000000000002";
    const NUMBER: &str = "+15550001111";

    fn who(people: &mut People, number: &str, uuid: &str) -> (String, Option<String>, bool) {
        let who = people
            .identify(Number::parse(number).ok(), Uuid::parse(uuid))
            .unwrap();
        (who.sender, who.also, who.is_news)
    }

    #[test]
    fn a_person_keeps_their_first_name_and_comes_with_the_other() {
        let by_id = format!("uuid:{ANN}");
        let mut people = People::default();
        assert_eq!(
            who(&mut people, NUMBER, ANN),
            (NUMBER.into(), Some(by_id.clone()), true)
        );
        // They hide their number now.
        assert_eq!(
            who(&mut people, "", ANN),
            (NUMBER.into(), Some(by_id.clone()), false)
        );
        // The other way round: they hid it first.
        let mut people = People::default();
        assert_eq!(who(&mut people, "", ANN), (by_id.clone(), None, true));
        assert_eq!(
            who(&mut people, NUMBER, ANN),
            (by_id.clone(), Some(NUMBER.into()), true)
        );
        assert_eq!(
            who(&mut people, "", ANN),
            (by_id, Some(NUMBER.into()), false)
        );
        // Without an id there is only the number.
        assert_eq!(who(&mut people, NUMBER, ""), (NUMBER.into(), None, false));
        assert_eq!(people.identify(None, None), None);
    }

    #[test]
    fn a_number_that_moves_takes_no_approval_along() {
        let saved = InMemory::default();
        let mut people = People::default();
        who(&mut people, NUMBER, ANN);
        let number = Number::parse(NUMBER).unwrap();
        let ben = people.identify(Some(number.clone()), Uuid::parse(BEN));
        let by_id = format!("uuid:{BEN}");
        let taken = Identity {
            sender: by_id.clone(),
            also: None,
            is_news: true,
            took_number_over: true,
        };
        assert_eq!(ben, Some(taken));
        // Nor later, nor without an id, nor after a restart.
        saved.save(&people.text("a")).unwrap();
        for mut people in [people, People::load(&saved, "a")] {
            for number in [NUMBER, ""] {
                assert_eq!(who(&mut people, number, BEN), (by_id.clone(), None, false));
            }
            assert_eq!(people.identify(Some(number.clone()), None), None);
            // It is not the first one's any more either.
            assert_eq!(
                who(&mut people, "", ANN),
                (format!("uuid:{ANN}"), None, false)
            );
            // A number of their own names them again.
            let new = "+15550002222";
            assert_eq!(
                who(&mut people, new, ANN),
                (new.into(), Some(format!("uuid:{ANN}")), true)
            );
            assert_eq!(
                who(&mut people, "+15550003333", BEN),
                (by_id.clone(), Some("+15550003333".into()), true)
            );
        }
    }

    #[test]
    fn a_crowd_does_not_make_a_person_forgotten_who_writes_now_and_then() {
        let mut people = People::default();
        who(&mut people, NUMBER, ANN);
        for other in 0..3 * MOST {
            if other % 1000 == 0 {
                assert_eq!(who(&mut people, "", ANN).0, NUMBER);
            }
            let uuid = format!("00000000-0000-4000-8000-{other:012}");
            who(&mut people, "", &uuid);
        }
        assert_eq!(people.0.len(), MOST);
    }

    #[test]
    fn they_are_known_after_a_restart_and_a_crowd_takes_no_more_room() {
        let saved = InMemory::default();
        let mut people = People::default();
        who(&mut people, NUMBER, ANN);
        saved.save(&people.text("a")).unwrap();
        let mut again = People::load(&saved, "a");
        assert_eq!(who(&mut again, "", ANN).0, NUMBER);
        assert!(People::load(&saved, "b").0.is_empty());
        for broken in [
            "",
            "{",
            "[]",
            "{\"version\":2,\"account\":\"a\",\"people\":[]}",
        ] {
            saved.save(broken).unwrap();
            assert!(People::load(&saved, "a").0.is_empty());
        }
        for other in 0..2 * MOST {
            who(
                &mut people,
                "",
                &format!("00000000-0000-4000-8000-{other:012}"),
            );
        }
        assert_eq!(people.0.len(), MOST);
        assert_eq!(who(&mut people, "", ANN).0, format!("uuid:{ANN}"));
    }
}
