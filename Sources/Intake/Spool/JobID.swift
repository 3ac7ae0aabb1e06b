import JSON

/// What a job is called, see `isPlainID`. It names the folder of the result.
public struct JobID: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// Nil when `text` is no id.
    public init?(_ text: String) {
        guard isPlainID(text) else { return nil }
        description = text
    }

    /// The id that a manifest says, or the one that the name it was dropped under makes.
    public init(written: String?, fileName: String) {
        self = written.flatMap { JobID($0) } ?? JobID(fileName: fileName)
    }

    /// The id of a job that brings none, from the name it was dropped under, without `.json`.
    public init(fileName: String) {
        description = plainID(of: fileName.hasSuffix(".json") ? String(fileName.dropLast(5)) : fileName)
    }
}
