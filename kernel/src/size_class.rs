//! Size classes: the sizes in which cells and parcels are carved, so that what one leaves fits the next.

use crate::limits::{CELL_MAX, GRANULE, HEADER};

/// Size classes: four to a doubling, from the smallest cell (a header and a word) to [`CELL_MAX`].
pub(crate) const CLASSES: usize = 40;

/// Granules of a cell of each class.
pub(crate) const CLASS_GRANULES: [u16; CLASSES] = {
    let mut sizes = [0u16; CLASSES];
    let mut i = 0;
    while i < CLASSES {
        sizes[i] = ((5 + (i % 4)) << (i / 4)) as u16;
        i += 1;
    }
    sizes
};

const _: () = assert!(CLASS_GRANULES[CLASSES - 1] as usize * GRANULE == CELL_MAX);
const _: () = assert!(CLASS_GRANULES[0] as usize * GRANULE == HEADER + 8);

/// The smallest class whose cells hold `bytes` after a header's room and stay aligned to `align`.
pub(crate) const fn class_for(bytes: usize, align: usize) -> u8 {
    let mut class = 0;
    while class < CLASSES {
        let size = CLASS_GRANULES[class] as usize * GRANULE;
        if size >= bytes && size.is_multiple_of(align) {
            return class as u8;
        }
        class += 1;
    }
    panic!(
        "an actor's state is larger than the stated bound (corelane_kernel::limits::STATE_SIZE_MAX): box it"
    )
}

/// Parcel sizes: 2^(4 + n) bytes.
pub(crate) const PARCELS: usize = 7;

/// The class of the smallest parcels that hold `bytes`.
pub(crate) const fn parcel_class(bytes: usize) -> usize {
    let size = bytes.next_power_of_two();
    if size <= 16 { 0 } else { size.trailing_zeros() as usize - 4 }
}
