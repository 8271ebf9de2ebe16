//! Records read one after the other: which of them is known by its key, and what is told of those that are hits.

use std::collections::HashMap;

use crate::gathered::{identity, Gathered};
use crate::json::{byte, pass, scalar, space, string, value, Odd};
use crate::names::Action;
use crate::plan::{Free, Plan};

/// Stands for a record's number that the caller has to find out: nothing is remembered of it.
pub const UNKEPT: u32 = u32::MAX;
/// The same for one with a name that is not known, or with something else where an object should be.
pub const STRANGE: u32 = u32::MAX - 1;
/// The bit of a hit of which something that is told is no plain text.
const ODD_TOLD: u32 = 1 << 31;
/// A longer key is not remembered.
const LONGEST_KEY: usize = 2_048;
/// Numbers in `Reader.rows` for each hit.
const ROW: usize = 5;
const ABSENT: u32 = u32::MAX;
const QUIET: u32 = u32::MAX - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Absent,
    /// A string without escapes.
    Text,
    /// Another string, `null`, `true` or `false`.
    Plain,
    /// A number, an object or a list.
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    start: usize,
    end: usize,
    kind: Kind,
}

/// What is known of records with one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The caller has to look at each.
    Open,
    /// There is nothing to tell.
    Nothing,
    /// Each is a hit, whatever else it holds.
    Hit,
}

impl Slot {
    const EMPTY: Slot = Slot { start: 0, end: 0, kind: Kind::Absent };

    /// What stands between the quotes of a string.
    fn inside<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.start + 1..self.end - 1]
    }
}

pub struct Reader {
    plan: Plan,
    slots: Vec<Slot>,
    strange: bool,
    key: Vec<u8>,
    /// By the key: the number of what is known of such records.
    known: HashMap<Box<[u8]>, u32>,
    /// By that number.
    meanings: Vec<Meaning>,
    pub gathered: Gathered,
    /// For each hit: the record's place among the records, its number, where it begins and ends, and which rare slots are
    /// quiet, with `ODD_TOLD` where not all that is told is plain text.
    pub rows: Vec<u32>,
    /// For each hit by what it could be gathered.
    identities: Vec<Option<(u64, u64)>>,
    /// Where each record begins and ends.
    pub spans: Vec<u32>,
    /// For each slot that is told: its texts of all hits, each ended by a newline; an empty one for what is no plain text.
    pub told: Vec<Vec<u8>>,
    /// For each rare slot of which texts are given back: those of all records in the same form.
    pub free: Vec<Vec<u8>>,
    /// Whether there is any such text.
    pub has_free: bool,
}

impl Reader {
    pub fn of(plan: Plan) -> Reader {
        Reader {
            slots: vec![Slot::EMPTY; plan.slots],
            strange: false,
            key: Vec::new(),
            known: HashMap::new(),
            meanings: Vec::new(),
            gathered: Gathered::default(),
            rows: Vec::new(),
            identities: Vec::new(),
            spans: Vec::new(),
            told: vec![Vec::new(); plan.told.len()],
            free: vec![Vec::new(); plan.rare.iter().filter(|one| !matches!(one.free, Free::None)).count()],
            has_free: false,
            plan,
        }
    }

    /// From now on, this is known of records with this number.
    pub fn settle(&mut self, number: usize, meaning: Meaning) {
        if let Some(known) = self.meanings.get_mut(number) {
            *known = meaning;
        }
    }

    /// Take over what another knows and has gathered; its key and its rare slots are the same.
    pub fn adopt(&mut self, other: &mut Reader) {
        self.known = std::mem::take(&mut other.known);
        self.meanings = std::mem::take(&mut other.meanings);
        self.gathered = std::mem::take(&mut other.gathered);
    }

    /// Know nothing; what is gathered goes too.
    pub fn forget(&mut self) {
        self.known.clear();
        self.meanings.clear();
        self.gathered = Gathered::default();
    }

    /// How many records the text has. Keys that are new have numbers by then, also where the text is odd.
    ///
    /// What is gathered of it does not count before `gathered.keep`. `first` is what the first record is called there.
    pub fn read(&mut self, text: &[u8], lines: bool, first: u64) -> Result<usize, Odd> {
        self.gathered.begin(first);
        self.rows.clear();
        self.identities.clear();
        self.has_free = false;
        self.spans.clear();
        self.told.iter_mut().chain(&mut self.free).for_each(Vec::clear);
        if u32::try_from(text.len()).is_err() || std::str::from_utf8(text).is_err() {
            return Err(Odd);
        }
        if lines {
            self.read_lines(text)?;
        } else {
            self.read_delivery(text)?;
        }
        Ok(self.spans.len() / 2)
    }

    /// `{"Records": [...]}` and nothing else.
    fn read_delivery(&mut self, text: &[u8]) -> Result<(), Odd> {
        let mut at = space(text, pass(text, space(text, 0), b'{')?);
        if !text[at..].starts_with(b"\"Records\"") {
            return Err(Odd);
        }
        at = space(text, pass(text, space(text, at + 9), b':')?);
        at = space(text, pass(text, at, b'[')?);
        if byte(text, at)? != b']' {
            loop {
                at = space(text, self.record(text, at)?);
                if byte(text, at)? != b',' {
                    break;
                }
                at = space(text, at + 1);
            }
        }
        at = space(text, pass(text, at, b']')?);
        at = space(text, pass(text, at, b'}')?);
        if at == text.len() {
            Ok(())
        } else {
            Err(Odd)
        }
    }

    /// A record a line.
    fn read_lines(&mut self, text: &[u8]) -> Result<(), Odd> {
        let mut at = space(text, 0);
        while at < text.len() {
            let end = self.record(text, at)?;
            let next = space(text, end);
            let parted = next == text.len() || text[end..next].contains(&b'\n');
            if !parted || text[at..end].contains(&b'\n') {
                return Err(Odd);
            }
            at = next;
        }
        Ok(())
    }

    /// Behind the record that has to stand at `at`.
    fn record(&mut self, text: &[u8], at: usize) -> Result<usize, Odd> {
        self.slots.fill(Slot::EMPTY);
        self.strange = false;
        if byte(text, at)? != b'{' {
            return Err(Odd);
        }
        let end = self.object(text, 0, at)?;
        self.spans.extend([at as u32, end as u32]);
        self.look_up(text, at, end);
        Ok(end)
    }

    /// Behind the object that stands at `at`.
    fn object(&mut self, text: &[u8], number: usize, at: usize) -> Result<usize, Odd> {
        let mut at = space(text, at + 1);
        if byte(text, at)? == b'}' {
            return Ok(at + 1);
        }
        loop {
            if byte(text, at)? != b'"' {
                return Err(Odd);
            }
            let (end, escaped) = string(text, at)?;
            let action = if escaped { None } else { self.plan.objects[number].names.get(text, at + 1, end - 1) };
            at = space(text, pass(text, space(text, end), b':')?);
            at = match action {
                Some(Action::Skip) => value(text, at)?,
                Some(Action::Keep(slot)) => self.keep(text, slot, at)?,
                Some(Action::Enter(inner)) => self.enter(text, inner, at)?,
                None => {
                    self.strange = true;
                    value(text, at)?
                }
            };
            at = space(text, at);
            match byte(text, at)? {
                b',' => at = space(text, at + 1),
                b'}' => return Ok(at + 1),
                _ => return Err(Odd),
            }
        }
    }

    fn keep(&mut self, text: &[u8], slot: usize, at: usize) -> Result<usize, Odd> {
        let (end, kind) = match byte(text, at)? {
            b'"' => {
                let (end, escaped) = string(text, at)?;
                (end, if escaped { Kind::Plain } else { Kind::Text })
            }
            b'n' | b't' | b'f' => (scalar(text, at)?, Kind::Plain),
            _ => (value(text, at)?, Kind::Other),
        };
        self.slots[slot] = Slot { start: at, end, kind };
        Ok(end)
    }

    /// The last of several with one name counts, as in any reader of JSON.
    fn enter(&mut self, text: &[u8], inner: usize, at: usize) -> Result<usize, Odd> {
        for &slot in &self.plan.objects[inner].slots {
            self.slots[slot] = Slot::EMPTY;
        }
        match byte(text, at)? {
            b'{' => self.object(text, inner, at),
            b'n' => scalar(text, at),
            _ => {
                self.strange = true;
                value(text, at)
            }
        }
    }

    /// Tell of the record that was read, unless it is known that there is nothing to tell.
    fn look_up(&mut self, text: &[u8], start: usize, end: usize) {
        let (mask, kept) = self.make_key(text);
        let number = if self.strange {
            STRANGE
        } else if !kept {
            UNKEPT
        } else if let Some(&number) = self.known.get(self.key.as_slice()) {
            if self.meanings[number as usize] == Meaning::Nothing {
                return;
            }
            number
        } else {
            let number = self.meanings.len() as u32;
            self.meanings.push(Meaning::Open);
            self.known.insert(self.key.as_slice().into(), number);
            number
        };
        let place = self.spans.len() as u32 / 2 - 1;
        let identity = self.identity(text);
        if let (Some(identity), Some(Meaning::Hit)) = (identity, self.meanings.get(number as usize)) {
            self.gather(number, identity, place);
            return;
        }
        let mut odd = 0;
        for (texts, &slot) in self.told.iter_mut().zip(&self.plan.told) {
            let slot = &self.slots[slot];
            if slot.kind == Kind::Text {
                texts.extend_from_slice(slot.inside(text));
            } else {
                odd = ODD_TOLD;
            }
            texts.push(b'\n');
        }
        self.rows.extend([place, number, start as u32, end as u32, mask | odd]);
        self.identities.push(identity);
    }

    /// The key and the time by which the hit is gathered, if it can be.
    fn identity(&self, text: &[u8]) -> Option<(u64, u64)> {
        let (gather, told) = match (self.plan.gather, self.plan.told.as_slice()) {
            (Some(gather), &[account, id, time]) => (gather, [account, id, time].map(|slot| self.slots[slot])),
            _ => return None,
        };
        if told.iter().any(|slot| slot.kind != Kind::Text) {
            return None;
        }
        let [account, id, time] = told;
        identity(gather.seed, account.inside(text), id.inside(text), time.inside(text))
    }

    fn gather(&mut self, number: u32, (key, when): (u64, u64), place: u32) {
        if self.plan.gather.map_or(false, |gather| (gather.since..gather.until).contains(&when)) {
            self.gathered.add(number, (key, when), place);
        }
    }

    /// Gather a hit that was given back, which is what is known by this number; false where it can't be.
    ///
    /// `row` is its place among the rows.
    pub fn take(&mut self, row: usize, number: u32) -> bool {
        match (self.identities.get(row), self.rows.get(row * ROW)) {
            (Some(&Some(identity)), Some(&place)) if (number as usize) < self.meanings.len() => {
                self.gather(number, identity, place);
                true
            }
            _ => false,
        }
    }

    /// A number for hits that no key stands for; the caller says which they are.
    pub fn number(&mut self) -> u32 {
        self.meanings.push(Meaning::Hit);
        self.meanings.len() as u32 - 1
    }

    pub fn numbers(&self) -> usize {
        self.meanings.len()
    }

    /// The key, which rare slots are quiet, and whether the key says all.
    fn make_key(&mut self, text: &[u8]) -> (u32, bool) {
        self.key.clear();
        let mut kept = true;
        for &number in &self.plan.key {
            kept &= add(&mut self.key, text, &self.slots[number]);
        }
        let mut mask = 0;
        let mut free = self.free.iter_mut();
        for (place, rare) in self.plan.rare.iter().enumerate() {
            let slot = &self.slots[rare.slot];
            let quiet = slot.kind == Kind::Text && slot.inside(text).is_ascii() && !rare.clues.within(slot.inside(text));
            if quiet {
                mask |= 1 << place;
                self.key.extend_from_slice(&QUIET.to_le_bytes());
            } else {
                kept &= add(&mut self.key, text, slot);
            }
            let given = match &rare.free {
                Free::None => continue,
                Free::All => quiet,
                Free::Some(hints) => quiet && hints.within(slot.inside(text)),
            };
            if let Some(texts) = free.next() {
                if given {
                    texts.extend_from_slice(slot.inside(text));
                    self.has_free = true;
                }
                texts.push(b'\n');
            }
        }
        (mask, kept && self.key.len() <= LONGEST_KEY)
    }
}

/// Add to the key what the slot holds; false where the caller looks at each such value.
fn add(key: &mut Vec<u8>, text: &[u8], slot: &Slot) -> bool {
    let raw = &text[slot.start..slot.end];
    let fits = raw.len() <= LONGEST_KEY;
    if slot.kind == Kind::Absent {
        key.extend_from_slice(&ABSENT.to_le_bytes());
    } else if fits {
        key.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        key.extend_from_slice(raw);
    }
    fits && slot.kind != Kind::Other
}
