//! The bounds of everything that someone can send, in one place.

/// Longest name of an integration, draft, step, lane or organization, in characters.
pub const NAME: usize = 120;
/// Longest description or step note, in characters.
pub const TEXT: usize = 20_000;
/// Most steps in one document, containers and their contents counted alike.
pub const STEPS: usize = 5_000;
/// Most lanes in one branch.
pub const LANES: usize = 50;
/// Deepest nesting of lanes: a step in a lane in a lane is at depth 3.
pub const DEPTH: usize = 10;
/// Largest document as canonical JSON, in bytes.
pub const DOCUMENT_BYTES: usize = 4 * 1024 * 1024;
/// Largest webhook payload or typed test payload, in bytes.
pub const PAYLOAD_BYTES: usize = 2 * 1024 * 1024;
/// Deepest nesting of JSON that is accepted from outside.
pub const JSON_DEPTH: usize = 100;
/// Longest text with expressions in it, in bytes.
pub const TEMPLATE_BYTES: usize = 100_000;
/// Work that one expression may do; MiniJinja's unit, about one instruction or 64 bytes.
pub const TEMPLATE_FUEL: u64 = 200_000;
/// Most that the expressions of one field give together, in bytes of JSON: a little more than
/// [`RESPONSE_BYTES`], so that a whole answer can be passed on.
pub const RESULT_BYTES: usize = 6 * 1024 * 1024;
/// How many levels deep runs call each other: the first that is called is at level 1.
pub const CALL_DEPTH: usize = 8;
/// Calls of one run that its page lists.
pub const CALLS_LISTED: usize = 500;
/// Most items that one loop goes through.
pub const LOOP_ITEMS: usize = 100_000;
/// Most rounds of one loop that run beside each other.
pub const LOOP_AT_ONCE: u32 = 50;
/// Largest answer that an HTTP request step reads, in bytes.
pub const RESPONSE_BYTES: usize = 5 * 1024 * 1024;
/// Shortest password, in characters (NIST SP 800-63B, single factor).
pub const PASSWORD_MIN: usize = 12;
/// Longest password, in bytes.
pub const PASSWORD_MAX: usize = 512;
/// Most threads in one review.
pub const THREADS: usize = 1_000;
/// Most comments in one thread.
pub const COMMENTS: usize = 200;
/// Largest value that can be suggested for a field, as JSON, in bytes.
pub const SUGGESTION_BYTES: usize = 256 * 1024;
/// Most people who can be asked for one review, or own one thing.
pub const REVIEWERS: usize = 50;
/// Most words that two texts, or two changed parts of longer ones, are compared by; parts with more
/// are shown as replaced.
pub const DIFF_WORDS: usize = 2_000;
/// Most lines that two texts are compared by; longer texts are shown as replaced.
pub const DIFF_LINES: usize = 10_000;
/// Most items that two lists in JSON are compared by; longer lists are compared place by place.
pub const DIFF_ITEMS: usize = 2_000;
/// Most pairs of lines, or of items of lists, of which the most alike are looked for.
pub const DIFF_PAIRS: usize = 40_000;
/// Most runs of one integration at once that a limit can allow.
pub const RUNS_AT_ONCE: u32 = 1_000;
/// Runs of one integration that are counted; more are not told apart.
pub const RUNS_COUNTED: u32 = 10_000;
/// Fewest days that the runs of an organization can be kept. A letter about a run is given up after
/// one, so its link leads somewhere.
pub const RETENTION_DAYS_MIN: u32 = 1;
/// Most days that the runs of an organization can be kept: ten years.
pub const RETENTION_DAYS_MAX: u32 = 3_650;
/// Most requests at once to one host that an organization's limit can allow.
pub const HOST_AT_ONCE: u32 = 1_000;
/// Most requests a second to one host that an organization's limit can allow.
pub const HOST_PER_SECOND: u32 = 1_000;
