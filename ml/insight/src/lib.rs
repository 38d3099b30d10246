//! room under construction
