//! What a learner edits; each exercise is a test target of this package.
