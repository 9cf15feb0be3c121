//! `client chaos`: a good server stands it, and what is wrong with the others is found.
//!
//! The servers are those of `faulty-server`, and so they need Unix; descriptors can be taken from
//! others on Linux only.

mod faults;
mod program;
