//! JSON as RFC 8259 has it, passed over without building anything.
//!
//! Whatever is not valid JSON is `Odd`, and so is what is valid and better left to a reader that may take its time:
//! half of a surrogate pair, and nesting deeper than `DEEPEST`.

/// Something that keeps the text from being read here.
#[derive(Debug, PartialEq, Eq)]
pub struct Odd;

/// Containers inside one another; CloudTrail's records have about ten.
const DEEPEST: usize = 200;

/// Behind the white space that stands at `at`.
#[inline]
pub fn space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(at) {
        at += 1;
    }
    at
}

/// The byte at `at`, which has to be there.
#[inline]
pub fn byte(text: &[u8], at: usize) -> Result<u8, Odd> {
    text.get(at).copied().ok_or(Odd)
}

/// Behind `wanted`, which has to stand at `at`.
#[inline]
pub fn pass(text: &[u8], at: usize, wanted: u8) -> Result<usize, Odd> {
    if byte(text, at)? == wanted {
        Ok(at + 1)
    } else {
        Err(Odd)
    }
}

/// Behind the string whose quote stands at `at`, and whether it has escapes.
#[inline]
pub fn string(text: &[u8], at: usize) -> Result<(usize, bool), Odd> {
    let mut at = at + 1;
    let mut escaped = false;
    loop {
        at = special(text, at);
        match byte(text, at)? {
            b'"' => return Ok((at + 1, escaped)),
            b'\\' => {
                escaped = true;
                at = escape(text, at)?;
            }
            _ => return Err(Odd),
        }
    }
}

/// Where the next quote, backslash or control character stands; the text's end if none does.
#[inline]
fn special(text: &[u8], mut at: usize) -> usize {
    while let Some(some) = text.get(at..at + WIDTH) {
        if let Some(place) = first_special(some.try_into().expect("as many bytes")) {
            return at + place;
        }
        at += WIDTH;
    }
    while let Some(&one) = text.get(at) {
        if one == b'"' || one == b'\\' || one < 0x20 {
            return at;
        }
        at += 1;
    }
    at
}

#[cfg(target_arch = "x86_64")]
const WIDTH: usize = 16;

#[cfg(target_arch = "x86_64")]
#[inline]
fn first_special(some: &[u8; WIDTH]) -> Option<usize> {
    use std::arch::x86_64::*;
    // SAFETY: every x86-64 has SSE2, and sixteen bytes are there to be loaded.
    let found = unsafe {
        let word = _mm_loadu_si128(some.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(word, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(word, _mm_set1_epi8(b'\\' as i8));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(word, _mm_set1_epi8(0x1f)), word);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control))
    };
    (found != 0).then(|| found.trailing_zeros() as usize)
}

#[cfg(not(target_arch = "x86_64"))]
const WIDTH: usize = 8;

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn first_special(some: &[u8; WIDTH]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*some);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // The lowest bit that is set is exact: a borrow only goes upwards.
    let found = ((quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word))
        & (ONES * 0x80);
    (found != 0).then(|| (found.trailing_zeros() / 8) as usize)
}

/// Behind the escape whose backslash stands at `at`; both halves of a surrogate pair are one escape.
fn escape(text: &[u8], at: usize) -> Result<usize, Odd> {
    match byte(text, at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => match unit(text, at)? {
            0xD800..=0xDBFF => match unit(text, at + 6)? {
                0xDC00..=0xDFFF => Ok(at + 12),
                _ => Err(Odd),
            },
            0xDC00..=0xDFFF => Err(Odd),
            _ => Ok(at + 6),
        },
        _ => Err(Odd),
    }
}

/// The number in the `\uXXXX` that has to stand at `at`.
fn unit(text: &[u8], at: usize) -> Result<u32, Odd> {
    let six = text.get(at..at + 6).ok_or(Odd)?;
    if !six.starts_with(b"\\u") {
        return Err(Odd);
    }
    six[2..].iter().try_fold(0, |number, &digit| {
        let value = (digit as char).to_digit(16).ok_or(Odd)?;
        Ok(number * 16 + value)
    })
}

/// Behind the number, `true`, `false` or `null` that has to stand at `at`.
#[inline]
pub fn scalar(text: &[u8], at: usize) -> Result<usize, Odd> {
    let word: &[u8] = match byte(text, at)? {
        b't' => b"true",
        b'f' => b"false",
        b'n' => b"null",
        _ => return number(text, at),
    };
    if text[at..].starts_with(word) {
        Ok(at + word.len())
    } else {
        Err(Odd)
    }
}

fn number(text: &[u8], mut at: usize) -> Result<usize, Odd> {
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match byte(text, at)? {
        b'0' => at + 1,
        _ => digits(text, at)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = digits(text, at)?;
    }
    Ok(at)
}

/// Behind the digits at `at`, of which there has to be one.
fn digits(text: &[u8], at: usize) -> Result<usize, Odd> {
    let count = text[at.min(text.len())..].iter().take_while(|one| one.is_ascii_digit()).count();
    if count == 0 {
        Err(Odd)
    } else {
        Ok(at + count)
    }
}

/// Behind the value that has to stand at `at`, whatever it is.
#[inline]
pub fn value(text: &[u8], at: usize) -> Result<usize, Odd> {
    match byte(text, at)? {
        b'"' => Ok(string(text, at)?.0),
        b'{' | b'[' => container(text, at),
        _ => scalar(text, at),
    }
}

/// Behind the object or list that stands at `at`. What is open is kept as bits, so that no depth costs the stack.
fn container(text: &[u8], at: usize) -> Result<usize, Odd> {
    let mut objects = [false; DEEPEST];
    let mut depth = 0;
    let mut at = at;
    loop {
        // A value is due at `at`.
        let first = byte(text, at)?;
        match first {
            b'{' | b'[' => {
                let object = first == b'{';
                at = space(text, at + 1);
                if byte(text, at)? == close(object) {
                    at += 1;
                } else {
                    *objects.get_mut(depth).ok_or(Odd)? = object;
                    depth += 1;
                    if object {
                        at = name(text, at)?;
                    }
                    continue;
                }
            }
            b'"' => at = string(text, at)?.0,
            _ => at = scalar(text, at)?,
        }
        // A value has ended.
        loop {
            if depth == 0 {
                return Ok(at);
            }
            let object = objects[depth - 1];
            at = space(text, at);
            let next = byte(text, at)?;
            if next == b',' {
                at = space(text, at + 1);
                if object {
                    at = name(text, at)?;
                }
                break;
            }
            if next != close(object) {
                return Err(Odd);
            }
            at += 1;
            depth -= 1;
        }
    }
}

fn close(object: bool) -> u8 {
    if object {
        b'}'
    } else {
        b']'
    }
}

/// Where the value begins whose name has to stand at `at`.
#[inline]
fn name(text: &[u8], at: usize) -> Result<usize, Odd> {
    if byte(text, at)? != b'"' {
        return Err(Odd);
    }
    let (end, _) = string(text, at)?;
    Ok(space(text, pass(text, space(text, end), b':')?))
}
