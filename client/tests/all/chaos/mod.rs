//! `client chaos`: a good server survives, and the faults of the others are found.
//!
//! The servers are those of `faulty-server`, and so they need Unix; descriptors can be taken from
//! others on Linux only.

mod faults;
mod program;
