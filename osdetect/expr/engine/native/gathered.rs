//! Hits of which all is known, gathered over many texts: the event's key, its time, the record's place.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

#[derive(Default)]
pub struct Gathered {
    first: u64,
    /// Of the present text.
    pending: Vec<Pending>,
    /// By number, three for each hit: key, time, place.
    kept: Vec<Vec<u64>>,
    count: usize,
}

struct Pending {
    number: u32,
    place: u32,
    key: u64,
    when: u64,
}

impl Gathered {
    pub fn begin(&mut self, first: u64) {
        self.first = first;
        self.pending.clear();
    }

    pub fn add(&mut self, number: u32, (key, when): (u64, u64), place: u32) {
        self.pending.push(Pending { number, place, key, when });
    }

    /// Keep what is pending, but for records at these places, which ascend. How many hits are kept.
    pub fn keep(&mut self, apart: &[u32]) -> usize {
        for one in self.pending.drain(..).filter(|one| apart.binary_search(&one.place).is_err()) {
            let number = one.number as usize;
            if self.kept.len() <= number {
                self.kept.resize_with(number + 1, Vec::new);
            }
            self.kept[number].extend_from_slice(&[one.key, one.when, self.first + u64::from(one.place)]);
            self.count += 1;
        }
        self.count
    }

    /// The first number from this on that has something, and that.
    pub fn from(&self, number: usize) -> Option<(usize, &[u64])> {
        let kept = self.kept.iter().enumerate().skip(number).find(|(_, kept)| !kept.is_empty());
        kept.map(|(number, kept)| (number, kept.as_slice()))
    }

    pub fn clear(&mut self) {
        self.kept.iter_mut().for_each(Vec::clear);
        self.count = 0;
    }
}

/// 64 bits of a text: no one who does not know the seed can make two that are the same.
pub fn fingerprint(seed: u64, text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(text);
    hasher.finish()
}

/// The key and the time, in microseconds since 1970, of an event as AWS writes them; `None` for any other.
pub fn identity(seed: u64, account: &[u8], id: &[u8], time: &[u8]) -> Option<(u64, u64)> {
    let usual = account.len() == 12
        && account.iter().all(u8::is_ascii_digit)
        && id.len() == 36
        && id.iter().all(|one| one.is_ascii_alphanumeric() || *one == b'-')
        && id.iter().any(|one| *one != b'-');
    if !usual {
        return None;
    }
    let mut text = [b'-'; 12 + 1 + 36];
    text[..12].copy_from_slice(account);
    text[13..].copy_from_slice(id);
    Some((fingerprint(seed, &text), moment(time)?))
}

/// In which an event can have been (`osdetect.documents.event`).
const YEARS: std::ops::RangeInclusive<u64> = 2006..=2099;

/// `2024-05-01T12:34:56Z` in microseconds since 1970.
fn moment(text: &[u8]) -> Option<u64> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let signs = [text[4], text[7], text[10], text[13], text[16], text[19]];
    if &signs != b"--T::Z" {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0u64, |number, one| {
            let digit = one.wrapping_sub(b'0');
            (digit < 10).then(|| number * 10 + u64::from(digit))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !YEARS.contains(&year) || day < 1 || day > days || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((((days_before(year, month) + day - 1) * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000)
}

/// Days from 1970 to the month's first, in the proleptic Gregorian calendar.
fn days_before(year: u64, month: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let leap = leap_days(year) - leap_days(year - 1);
    let within = BEFORE[month as usize - 1] + if month > 2 { leap } else { 0 };
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + within
}
