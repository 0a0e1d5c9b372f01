//! Numbers in, numbers out. Knows no type of ours.
