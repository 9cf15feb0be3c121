//! The client against small servers over real sockets, polite ones and faulty ones.

mod binary;
mod faults;
mod floods;
mod open_loop;
mod probes;
mod servers;
mod timelines;
mod zoo;
