import FoundationEssentials
import Posix

/// How a job ended, as `result.json` says it.
public enum JobStatus: String, Codable, Sendable, CaseIterable {
    case done
    /// The release policy holds results back.
    case held
    /// What the manifest names cannot be used, or targets failed.
    case failed
    /// An operator ended it.
    case cancelled
    /// The manifest is mistaken.
    case rejected

    /// Whether there is something to do again.
    var callsForRetry: Bool {
        switch self {
        case .failed, .cancelled, .rejected: true
        case .done, .held: false
        }
    }
}

/// The part of `result.json` that a spool and the commands read, and all of it for a job that never ran.
public struct ResultSummary: Encodable, Sendable {
    private var schema = 1
    public let status: JobStatus
    public let error: Problem?
    private var id: String?
    private var targets: [String]? = []

    init(id: String, status: JobStatus, error: Problem) {
        self.id = id
        self.status = status
        self.error = error
    }

    /// With sorted keys, ending in a line feed.
    var encoded: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        // Strings and numbers only: there is nothing that cannot be encoded.
        return Array((try? encoder.encode(self)) ?? Data()) + [UInt8(ascii: "\n")]
    }

    /// What is said of a whole job, or of a target that is done, held or failed; nil where there is nothing that can be
    /// read.
    public init?(file: String) throws(PosixError) {
        struct Head: Decodable {
            let status: String
            let error: Problem?
        }
        guard let bytes = try Files.readIfPresent(file, limit: 1 << 30),
            let head = try? JSONDecoder().decode(Head.self, from: Data(bytes)),
            let status = JobStatus(rawValue: head.status)
        else { return nil }
        self.status = status
        error = head.error
    }
}

/// What is wrong with a job, as `result.json` says it.
public struct Problem: Codable, Equatable, Sendable {
    public let code: String
    public let message: String
    public let place: String

    public init(code: String, message: String, place: String) {
        self.code = code
        self.message = message
        self.place = place
    }

    enum CodingKeys: String, CodingKey {
        case code, message
        case place = "where"
    }
}
