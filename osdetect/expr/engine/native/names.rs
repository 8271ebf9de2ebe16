//! The names of an object, found by a few of their bytes.

/// What is to be done with the value of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nobody asks for it.
    Skip,
    /// It is kept in the slot with this number.
    Keep(usize),
    /// It is the object with this number.
    Enter(usize),
}

/// A name's length, its first eight bytes and its last eight: no more than that is looked at of one that has at most sixteen.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sign {
    length: usize,
    head: u64,
    tail: u64,
}

struct Listed {
    sign: Sign,
    name: Vec<u8>,
    action: Action,
}

#[derive(Default)]
pub struct Names {
    listed: Vec<Listed>,
    /// Open addressing; what is stored is one more than the place in `listed`, 0 for none.
    table: Vec<u16>,
}

impl Names {
    pub fn add(&mut self, name: Vec<u8>, action: Action) {
        self.listed.push(Listed { sign: sign(&name, 0, name.len()), name, action });
        self.table = vec![0; (self.listed.len() * 4).next_power_of_two()];
        let mask = self.table.len() - 1;
        for (place, listed) in self.listed.iter().enumerate() {
            let mut at = hash(&listed.sign) & mask;
            while self.table[at] != 0 {
                at = (at + 1) & mask;
            }
            self.table[at] = u16::try_from(place + 1).expect("an object has few names");
        }
    }

    /// What to do with the value of the name that stands in the text; `None` for one that is not known.
    #[inline]
    pub fn get(&self, text: &[u8], start: usize, end: usize) -> Option<Action> {
        let mask = self.table.len().checked_sub(1)?;
        let sign = sign(text, start, end);
        let mut at = hash(&sign) & mask;
        while self.table[at] != 0 {
            let known = &self.listed[self.table[at] as usize - 1];
            if known.sign == sign && (sign.length <= 16 || known.name == text[start..end]) {
                return Some(known.action);
            }
            at = (at + 1) & mask;
        }
        None
    }
}

/// Of the name that stands in the text.
#[inline]
fn sign(text: &[u8], start: usize, end: usize) -> Sign {
    let length = end - start;
    if length >= 8 {
        return Sign { length, head: eight(&text[start..start + 8]), tail: eight(&text[end - 8..end]) };
    }
    let head = match text.get(start..start + 8) {
        Some(bytes) => eight(bytes) & ((1 << (8 * length)) - 1),
        None => text[start..end].iter().rev().fold(0, |word, &one| word << 8 | u64::from(one)),
    };
    Sign { length, head, tail: 0 }
}

#[inline]
fn eight(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

/// The names that are known are few and fixed, so nobody can make them collide.
#[inline]
fn hash(sign: &Sign) -> usize {
    let mixed = (sign.head ^ sign.tail.rotate_left(29)).wrapping_add(sign.length as u64);
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize
}
