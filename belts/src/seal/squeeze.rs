//! Values made smaller before they are sealed, and back to their size.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// Values of more bytes are compressed, if that makes them smaller.
const ABOVE: usize = 1024;

/// The fastest level of zstd's own: a value is compressed in the middle of a step.
const LEVEL: i32 = 1;

thread_local! {
    // Making one takes longer than compressing a value of some KiB.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The value in fewer bytes, if it is long and that is possible.
pub(super) fn smaller(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() <= ABOVE {
        return None;
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::new(LEVEL).ok()?),
        };
        let squeezed = compressor.compress(value).ok()?;
        (squeezed.len() < value.len()).then_some(squeezed)
    })
}

/// The value as it was, of exactly this many bytes.
pub(super) fn restored(squeezed: &[u8], bytes: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new().ok()?),
        };
        // It writes no more than there is room for.
        let value = decompressor.decompress(squeezed, bytes).ok()?;
        (value.len() == bytes).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_become_smaller_and_come_back() {
        let value = b"again and again ".repeat(1000);
        let squeezed = smaller(&value).expect("it repeats itself");
        assert!(squeezed.len() < value.len() / 10);
        assert_eq!(restored(&squeezed, value.len()), Some(value));
    }

    #[test]
    fn what_does_not_become_smaller_stays_as_it_is() {
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(4096)
            .collect();
        assert_eq!(smaller(&noise), None);
        assert_eq!(smaller(&[b'a'; ABOVE]), None);
        assert!(smaller(&[b'a'; ABOVE + 1]).is_some());
    }

    #[test]
    fn no_more_is_written_than_there_is_room_for() {
        let bomb = smaller(&vec![0; 1 << 24]).expect("nothing but zeros");
        assert!(bomb.len() < 4096);
        assert_eq!(restored(&bomb, 1 << 20), None);
        assert_eq!(restored(b"no frame", 1 << 20), None);
    }
}
