//! `client check`: each fault is found by the check that is meant for it, and by no other.
//!
//! The servers are those of `faulty-server`, and so they need Unix; what a process costs can
//! be seen on Linux only.

mod addresses;
mod faults;
mod program;
mod servers;
