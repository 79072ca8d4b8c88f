//! Documents for tests, written by hand.
