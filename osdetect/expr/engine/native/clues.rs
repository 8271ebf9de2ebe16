//! Several literals looked for at once, whatever the case of ASCII letters.
//!
//! Two neighbouring bytes of the text are looked at at a time, and the next two so far on that no literal fits in between.
//! Only where two such bytes stand in a literal it is compared.

/// Bytes that are looked at are at most so far apart: more pairs of a literal would be found where it does not stand.
const FARTHEST: usize = 4;
const BITS: usize = 1 << 14;

pub struct Clues {
    literals: Vec<Vec<u8>>,
    step: usize,
    /// By `pair`: whether it stands near the beginning of a literal.
    pairs: Box<[u64; BITS / 64]>,
    /// What each pair may be, in the order of pairs: which literal, and how far from its beginning.
    places: Vec<(u16, u16, u16)>,
}

impl Clues {
    /// For literals in lower case. `None`: one is too short, or they are too many.
    pub fn of(literals: Vec<Vec<u8>>) -> Option<Clues> {
        let shortest = literals.iter().map(Vec::len).min().unwrap_or(FARTHEST + 1);
        let step = shortest.checked_sub(1).filter(|&step| step > 0)?.min(FARTHEST);
        let mut pairs = Box::new([0; BITS / 64]);
        let mut places = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            for (shift, two) in literal.windows(2).take(step).enumerate() {
                let pair = pair(two[0], two[1]);
                pairs[pair / 64] |= 1 << (pair % 64);
                places.push((pair as u16, u16::try_from(number).ok()?, shift as u16));
            }
        }
        places.sort_unstable();
        Some(Clues { literals, step, pairs, places })
    }

    /// Whether one of them stands in the text.
    #[inline]
    pub fn within(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while let Some(&[one, other]) = text.get(at..at + 2) {
            let pair = pair(one, other);
            if self.pairs[pair / 64] >> (pair % 64) & 1 == 1 && self.stands(text, at, pair) {
                return true;
            }
            at += self.step;
        }
        false
    }

    #[cold]
    fn stands(&self, text: &[u8], at: usize, pair: usize) -> bool {
        let first = self.places.partition_point(|place| (place.0 as usize) < pair);
        let mut same = self.places[first..].iter().take_while(|place| place.0 as usize == pair);
        same.any(|&(_, number, shift)| {
            let literal = &self.literals[number as usize];
            let start = at.checked_sub(shift as usize);
            let there = start.and_then(|start| text.get(start..start + literal.len()));
            there.map_or(false, |there| there.eq_ignore_ascii_case(literal))
        })
    }
}

/// Two bytes as a number below `BITS`, the same for a letter in upper and in lower case.
#[inline]
fn pair(one: u8, other: u8) -> usize {
    (one & 0x5f) as usize | ((other & 0x5f) as usize) << 7
}
