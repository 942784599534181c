//! Workers without a loop: runs are driven within deliveries.
