//! Which number and id name the same person.

use std::collections::{BTreeSet, VecDeque};

use channel_kit::SavedText;
use serde::{Deserialize, Serialize};

use crate::Number;
use crate::uuid::Uuid;

/// Maximum number of persons that are remembered. The one who has not written for the longest time is forgotten.
const MOST: usize = 2000;

/// Maximum number of phone numbers that are remembered beside those of the persons. They are more, because a number that is
/// forgotten can name somebody else.
const MOST_NUMBERS: usize = 3 * MOST;

/// The persons that were seen.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// The one who wrote last is the last one.
    known: VecDeque<Person>,
    /// Numbers that nobody has now, or that were seen with two persons; the latest is the last one. No number is in it twice.
    former: VecDeque<Former>,
}

/// A number that was seen with somebody.
#[derive(Debug)]
struct Former {
    number: Number,
    /// The only person that it can name; `None` if it was seen with two persons, and names nobody.
    owner: Option<Uuid>,
}

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
    /// Numbers that nobody has now, with the id of their owner. Earlier versions did not write it.
    #[serde(default)]
    former: Vec<(String, Option<String>)>,
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
        for (number, owner) in file.former {
            if let Ok(number) = Number::parse(&number) {
                // Who cannot be understood is nobody.
                people.retire(number, owner.and_then(|owner| Uuid::parse(&owner)));
            }
        }
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
        for person in self.known.iter().filter(|one| one.has_anothers_number) {
            with_anothers_number.insert(person.uuid.as_str().to_owned());
        }
        let file = File {
            version: 1,
            account: account.to_owned(),
            people: self.known.iter().map(row).collect(),
            with_anothers_number,
            former: self.former.iter().map(Former::row).collect(),
        };
        // Texts and flags always serialise.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }

    /// Who somebody is, by what a message says of them: a number, an id, or both, which is remembered. `None` if it says
    /// neither, or nothing but a number that was seen with two persons.
    ///
    /// What must hold: a number names nobody but the first person who was seen with it, as long as it is remembered.
    pub(crate) fn identify(
        &mut self,
        number: Option<Number>,
        uuid: Option<Uuid>,
    ) -> Option<Identity> {
        let Some(uuid) = uuid else {
            // Very old clients have no id; they are known by their number alone.
            let number = number?;
            return (!self.is_ambiguous(&number)).then(|| Identity {
                sender: number.to_string(),
                also: None,
                is_news: false,
                took_number_over: false,
            });
        };
        let at = self.known.iter().position(|person| person.uuid == uuid);
        let known = at.and_then(|at| self.known.remove(at));
        let mut is_news = known.is_none();
        let had = known.as_ref().and_then(|person| person.number.clone());
        let new_number = number.filter(|number| had.as_ref() != Some(number));
        let is_anothers = new_number
            .as_ref()
            .is_some_and(|number| self.take(number, &uuid));
        let mut person = known.unwrap_or(Person {
            began_with_number: new_number.is_some() && !is_anothers,
            uuid,
            number: None,
            has_anothers_number: false,
        });
        if new_number.is_some() {
            if let Some((number, owner)) = person.leaves() {
                self.retire(number, owner);
            }
            person.number = new_number;
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

    /// Whether a number was seen with two persons, or is nobody's now: alone it names nobody.
    fn is_ambiguous(&self, number: &Number) -> bool {
        let is_it =
            |person: &Person| person.has_anothers_number && person.number.as_ref() == Some(number);
        self.known.iter().any(is_it) || self.former.iter().any(|former| former.number == *number)
    }

    /// Gives a number to the person with this id; nobody else has it any more. Returns whether somebody else had it before.
    fn take(&mut self, number: &Number, uuid: &Uuid) -> bool {
        let mut is_anothers = false;
        for other in &mut self.known {
            if other.number.as_ref() == Some(number) {
                other.number = None;
                other.has_anothers_number = false;
                is_anothers = true;
            }
        }
        let at = self
            .former
            .iter()
            .position(|former| former.number == *number);
        let former = at.and_then(|at| self.former.remove(at));
        is_anothers |= former.is_some_and(|former| former.owner.as_ref() != Some(uuid));
        if is_anothers {
            self.retire(number.clone(), None);
        }
        is_anothers
    }

    /// Remembers whose a number was.
    fn retire(&mut self, number: Number, owner: Option<Uuid>) {
        self.former.retain(|former| former.number != number);
        if self.former.len() >= MOST_NUMBERS {
            self.former.pop_front();
        }
        self.former.push_back(Former { number, owner });
    }

    fn add(&mut self, person: Person) {
        if self.known.len() >= MOST
            && let Some(forgotten) = self.known.pop_front()
            && let Some((number, owner)) = forgotten.leaves()
        {
            self.retire(number, owner);
        }
        self.known.push_back(person);
    }
}

impl Person {
    /// Their number, which is about to be nobody's, and the only person that it can name.
    fn leaves(&self) -> Option<(Number, Option<Uuid>)> {
        let owner = (!self.has_anothers_number).then(|| self.uuid.clone());
        Some((self.number.clone()?, owner))
    }
}

impl Former {
    fn row(&self) -> (String, Option<String>) {
        let owner = self.owner.as_ref().map(|owner| owner.as_str().to_owned());
        (self.number.to_string(), owner)
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
    fn a_number_that_its_person_has_left_names_nobody_else() {
        let (left, moved) = (NUMBER, "+15550002222");
        let saved = InMemory::default();
        let mut people = People::default();
        who(&mut people, left, ANN);
        let by_id = |uuid: &str| format!("uuid:{uuid}");
        assert_eq!(
            who(&mut people, moved, ANN),
            (moved.into(), Some(by_id(ANN)), true)
        );
        saved.save(&people.text("a")).unwrap();
        for mut people in [people, People::load(&saved, "a")] {
            // Whoever has no id could be either of them.
            let number = Number::parse(left).unwrap();
            assert_eq!(people.identify(Some(number.clone()), None), None);
            let ben = people.identify(Some(number.clone()), Uuid::parse(BEN));
            let ben = ben.unwrap();
            assert_eq!((ben.sender, ben.also), (by_id(BEN), None));
            assert!(ben.is_news && ben.took_number_over);
            assert_eq!(who(&mut people, left, BEN), (by_id(BEN), None, false));
            assert_eq!(people.identify(Some(number), None), None);
        }
        // Whoever comes back to their number has it again.
        let mut people = People::load(&saved, "a");
        assert_eq!(who(&mut people, left, ANN).0, left);
        assert_eq!(who(&mut people, moved, BEN).0, by_id(BEN));
    }

    #[test]
    fn a_forgotten_person_s_number_names_nobody_else() {
        let crowd = |people: &mut People| {
            for other in 0..MOST {
                let uuid = format!("00000000-0000-4000-9000-{other:012}");
                who(people, "", &uuid);
            }
        };
        let mut people = People::default();
        who(&mut people, NUMBER, ANN);
        crowd(&mut people);
        let mut back = People::load(&InMemory::default(), "a");
        back.retire(Number::parse(NUMBER).unwrap(), Uuid::parse(ANN));
        assert_eq!(who(&mut back, NUMBER, ANN).0, NUMBER);
        assert_eq!(who(&mut people, NUMBER, BEN).0, format!("uuid:{BEN}"));
        // Nor when the second one is forgotten, too.
        crowd(&mut people);
        let cora = "00000000-0000-4000-8000-000000000003";
        assert_eq!(who(&mut people, NUMBER, cora).0, format!("uuid:{cora}"));
        assert_eq!(who(&mut people, NUMBER, ANN).0, format!("uuid:{ANN}"));
    }

    #[test]
    fn many_numbers_take_no_more_room() {
        let mut people = People::default();
        let number = |number: usize| Number::parse(&format!("+1555{number:07}")).unwrap();
        for left in 0..MOST_NUMBERS {
            let (number, owner) = (number(left), None);
            people.former.push_back(Former { number, owner });
        }
        for left in [0, MOST_NUMBERS, MOST_NUMBERS + 1] {
            people.retire(number(left), None);
        }
        assert_eq!(people.former.len(), MOST_NUMBERS);
        assert!(people.is_ambiguous(&number(0)) && !people.is_ambiguous(&number(1)));
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
        assert_eq!(people.known.len(), MOST);
    }

    #[test]
    fn they_are_known_after_a_restart_and_a_crowd_takes_no_more_room() {
        let saved = InMemory::default();
        let mut people = People::default();
        who(&mut people, NUMBER, ANN);
        saved.save(&people.text("a")).unwrap();
        let mut again = People::load(&saved, "a");
        assert_eq!(who(&mut again, "", ANN).0, NUMBER);
        assert!(People::load(&saved, "b").known.is_empty());
        for broken in [
            "",
            "{",
            "[]",
            "{\"version\":2,\"account\":\"a\",\"people\":[]}",
        ] {
            saved.save(broken).unwrap();
            assert!(People::load(&saved, "a").known.is_empty());
        }
        for other in 0..2 * MOST {
            who(
                &mut people,
                "",
                &format!("00000000-0000-4000-8000-{other:012}"),
            );
        }
        assert_eq!(people.known.len(), MOST);
        assert_eq!(who(&mut people, "", ANN).0, format!("uuid:{ANN}"));
    }
}
