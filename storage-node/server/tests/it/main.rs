//! A node, and three of them, over real stores and over twins that forget.

mod conformance;
mod crashes;
mod world;
