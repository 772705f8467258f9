//! The storage tier as seen from outside its nodes: who a party is, how nodes
//! are reached, and the tier made out of them.

pub mod bulk;
pub mod control;
pub mod identity;
pub mod remote;
pub mod tier;
