//! What a reader is told to look for: lines of words with tabs between them, made by `native/__init__.py`. Texts are in hexadecimal.
//!
//! ```text
//! object                        the next object; the first is the record
//! name TEXT skip|keep N|enter N a name of it, and what is done with the value: passed over, put into slot N, read as object N
//! key N                         slot N is part of what a record is known by
//! rare N CLUE...                so it is, but only where its text has one of these literals in it
//! free HINT...                  other texts of the rare slot before are given back if they have one of these; without any: all
//! told N                        slot N is wanted of each hit
//! gather SEED SINCE UNTIL       the slots told are account, id and time of an event, by which known hits are gathered
//! ```

use crate::clues::Clues;
use crate::names::{Action, Names};

/// Slots, and rare ones among them, which are bits of a mask that has another one.
const MOST: usize = 31;

#[derive(Default)]
pub struct Object {
    pub names: Names,
    /// The slots inside it and inside the objects in it: they are empty when it is none.
    pub slots: Vec<usize>,
    inner: Vec<usize>,
}

pub struct Rare {
    pub slot: usize,
    pub clues: Clues,
    pub free: Free,
}

/// Which of the texts without a clue are given back.
pub enum Free {
    None,
    All,
    Some(Clues),
}

/// What is gathered; times are in microseconds since 1970.
#[derive(Clone, Copy)]
pub struct Gather {
    pub seed: u64,
    pub since: u64,
    pub until: u64,
}

#[derive(Default)]
pub struct Plan {
    pub objects: Vec<Object>,
    pub slots: usize,
    pub key: Vec<usize>,
    pub rare: Vec<Rare>,
    pub told: Vec<usize>,
    pub gather: Option<Gather>,
}

impl Plan {
    /// `None`: the text is no plan, or asks for more than there is room for.
    pub fn of(text: &str) -> Option<Plan> {
        let mut plan = Plan::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            match words.as_slice() {
                ["object"] => plan.objects.push(Object::default()),
                ["name", name, rest @ ..] => {
                    let action = match rest {
                        ["skip"] => Action::Skip,
                        ["keep", number] => Action::Keep(number.parse().ok()?),
                        ["enter", number] => Action::Enter(number.parse().ok()?),
                        _ => return None,
                    };
                    let object = plan.objects.last_mut()?;
                    object.names.add(unhex(name)?, action);
                    match action {
                        Action::Skip => (),
                        Action::Keep(slot) => object.slots.push(slot),
                        Action::Enter(number) => object.inner.push(number),
                    }
                }
                ["key", number] => plan.key.push(number.parse().ok()?),
                ["rare", number, clues @ ..] => plan.rare.push(Rare {
                    slot: number.parse().ok()?,
                    clues: clues_of(clues)?,
                    free: Free::None,
                }),
                ["free", hints @ ..] => {
                    plan.rare.last_mut()?.free = if hints.is_empty() { Free::All } else { Free::Some(clues_of(hints)?) }
                }
                ["told", number] => plan.told.push(number.parse().ok()?),
                ["gather", seed, since, until] => {
                    let (seed, since, until) = (seed.parse().ok()?, since.parse().ok()?, until.parse().ok()?);
                    plan.gather = Some(Gather { seed, since, until });
                }
                _ => return None,
            }
        }
        plan.resolved()
    }

    /// With the slots of inner objects among those of the outer ones, and every number checked.
    fn resolved(mut self) -> Option<Plan> {
        for place in (0..self.objects.len()).rev() {
            for number in std::mem::take(&mut self.objects[place].inner) {
                if number <= place {
                    return None; // an object is listed behind the one that it is in
                }
                let inner = self.objects.get(number)?.slots.clone();
                self.objects[place].slots.extend(inner);
            }
        }
        self.slots = self.objects.first()?.slots.iter().max().map_or(0, |&last| last + 1);
        let mut used = self.key.iter().chain(&self.told).chain(self.rare.iter().map(|one| &one.slot));
        let identified = self.gather.is_none() || self.told.len() == 3;
        (identified && used.all(|&slot| slot < self.slots) && self.slots <= MOST && self.rare.len() <= MOST).then_some(self)
    }
}

fn clues_of(words: &[&str]) -> Option<Clues> {
    Clues::of(words.iter().map(|word| unhex(word)).collect::<Option<Vec<_>>>()?)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|one| one.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())
}
