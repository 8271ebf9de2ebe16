//! Reads CloudTrail records and tells which of them rules may hold for: the fast half of `osdetect.expr.engine`.
//!
//! It knows nothing of rules. A record is known by a key, made of the fields that decide most rules; for each
//! new key the caller says what it stands for, and records whose key stands for nothing are passed over. Here are the
//! functions that Python calls by way of `ctypes`; all that touches a record's bytes is safe Rust.

mod clues;
mod gathered;
mod json;
mod names;
mod plan;
mod reader;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice;

use plan::Plan;
use reader::{Meaning, Reader};

/// Changes whenever a function here or the form of a plan does.
const INTERFACE: u32 = 7;

#[no_mangle]
pub extern "C" fn osdetect_interface() -> u32 {
    INTERFACE
}

/// A reader for a plan; null for a text that is none.
///
/// # Safety
/// `text` points to `length` bytes.
#[no_mangle]
pub unsafe extern "C" fn osdetect_reader(text: *const u8, length: usize) -> *mut Reader {
    let text = slice::from_raw_parts(text, length);
    let made = catch_unwind(|| std::str::from_utf8(text).ok().and_then(Plan::of).map(Reader::of));
    made.ok().flatten().map_or(std::ptr::null_mut(), |reader| Box::into_raw(Box::new(reader)))
}

/// # Safety
/// `reader` comes from `osdetect_reader` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn osdetect_free(reader: *mut Reader) {
    drop(Box::from_raw(reader));
}

/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_settle(reader: *mut Reader, number: usize, hit: bool) {
    (*reader).settle(number, if hit { Meaning::Hit } else { Meaning::Nothing });
}

/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_forget(reader: *mut Reader) {
    (*reader).forget();
}

/// Take over what another reader knows and has gathered, which is for the same key and rare slots.
///
/// # Safety
/// As of `osdetect_read`, for both, which are two.
#[no_mangle]
pub unsafe extern "C" fn osdetect_adopt(reader: *mut Reader, other: *mut Reader) {
    (*reader).adopt(&mut *other);
}

/// How many records there are; -1 for a text that is to be read in another way.
///
/// # Safety
/// `reader` comes from `osdetect_reader`, no other thread uses it, and `text` points to `length` bytes.
#[no_mangle]
pub unsafe extern "C" fn osdetect_read(reader: *mut Reader, text: *const u8, length: usize, lines: bool, first: u64) -> i64 {
    let text = slice::from_raw_parts(text, length);
    let reader = AssertUnwindSafe(&mut *reader);
    let read = catch_unwind(move || { reader }.read(text, lines, first));
    read.ok().and_then(Result::ok).map_or(-1, |records| records as i64)
}

/// A number for hits that no key stands for.
///
/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_number(reader: *mut Reader) -> u32 {
    (*reader).number()
}

/// How many numbers there are by now.
///
/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_numbers(reader: *const Reader) -> usize {
    (*reader).numbers()
}

/// Gather a hit of the text that was read, by its place among the rows, as one with this number; false where it can't be.
///
/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_take(reader: *mut Reader, row: usize, number: u32) -> bool {
    (*reader).take(row, number)
}

/// Keep what was gathered of the text, some records apart; how much is kept by now.
///
/// # Safety
/// As of `osdetect_read`; `apart` points to `count` numbers, places of records that ascend.
#[no_mangle]
pub unsafe extern "C" fn osdetect_keep(reader: *mut Reader, apart: *const u32, count: usize) -> usize {
    let apart = if count == 0 { &[] } else { slice::from_raw_parts(apart, count) };
    (*reader).gathered.keep(apart)
}

/// The next number of which something is kept, from `number` on; -1 if there is none.
///
/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_kept(reader: *const Reader, number: usize, rows: *mut *const u64, length: *mut usize) -> i64 {
    match (*reader).gathered.from(number) {
        None => -1,
        Some((number, kept)) => {
            (*rows, *length) = (kept.as_ptr(), kept.len());
            number as i64
        }
    }
}

/// Keep nothing any more.
///
/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_drop(reader: *mut Reader) {
    (*reader).gathered.clear();
}

/// The key that hits are gathered by, for an event's account and id as one text.
///
/// # Safety
/// `text` points to `length` bytes.
#[no_mangle]
pub unsafe extern "C" fn osdetect_fingerprint(seed: u64, text: *const u8, length: usize) -> u64 {
    gathered::fingerprint(seed, slice::from_raw_parts(text, length))
}

/// Whether one of the numbers is there twice.
///
/// # Safety
/// `numbers` points to `count` of them.
#[no_mangle]
pub unsafe extern "C" fn osdetect_has_twins(numbers: *const u64, count: usize) -> bool {
    if count == 0 {
        return false;
    }
    let mut sorted = slice::from_raw_parts(numbers, count).to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|two| two[0] == two[1])
}

/// Bytes of what was found, which stay as they are until the next read: 0 rows, 1 spans, then each told slot, then each free one.
/// `length` is set; null, and a length of 0, where there is no such thing, as where no free slot has a text.
///
/// # Safety
/// As of `osdetect_read`.
#[no_mangle]
pub unsafe extern "C" fn osdetect_found(reader: *const Reader, which: usize, length: *mut usize) -> *const u8 {
    let reader = &*reader;
    let told = reader.told.len();
    let bytes: Option<&[u8]> = match which {
        0 => Some(as_bytes(&reader.rows)),
        1 => Some(as_bytes(&reader.spans)),
        _ if which - 2 < told => Some(reader.told[which - 2].as_slice()),
        _ if !reader.has_free => None,
        _ => reader.free.get(which - 2 - told).map(Vec::as_slice),
    };
    *length = bytes.map_or(0, <[u8]>::len);
    bytes.map_or(std::ptr::null(), <[u8]>::as_ptr)
}

fn as_bytes(numbers: &[u32]) -> &[u8] {
    // SAFETY: any bytes of a `u32` are bytes, and a slice of them is as long as it says.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), std::mem::size_of_val(numbers)) }
}
