import FoundationEssentials
import JSON
import Llama
import Spool

/// Why a worker has no result.
public struct JobFailure: Codable, Sendable, Equatable {
    /// What follows for the job.
    public enum Kind: String, Codable, Sendable {
        /// Another try would fail in the same way.
        case permanent
        /// Another try may do better.
        case passing
        /// The device is gone, and so is its slot; the job did nothing wrong.
        case deviceLost = "device-lost"
        /// The device cannot be had now; the job did nothing wrong.
        case deviceNotReady = "device-not-ready"
    }

    /// What the result will say unless another try does better.
    public let problem: Problem
    public let kind: Kind

    public init(_ problem: Problem, _ kind: Kind) {
        self.problem = problem
        self.kind = kind
    }

    public init(_ error: JobError) {
        let kind: Kind =
            switch error.code {
            case LlamaError.Code.deviceLost.rawValue: .deviceLost
            case LlamaError.Code.deviceNotReady.rawValue: .deviceNotReady
            default: error.isPermanent ? .permanent : .passing
            }
        self.init(error.problem, kind)
    }
}

/// What a worker process tells the daemon, one JSON object a line: `{"progress":{…}}` or `{"failed":{…}}`.
///
/// That a job is done is told by its sealed result alone.
public enum WorkerMessage: Sendable, Equatable {
    case progress(JobProgress)
    case failed(JobFailure)
}

extension WorkerMessage: Codable {
    private enum Keys: CodingKey { case progress, failed }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        if let progress = try container.decodeIfPresent(JobProgress.self, forKey: .progress) {
            self = .progress(progress)
        } else {
            self = .failed(try container.decode(JobFailure.self, forKey: .failed))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .progress(let progress): try container.encode(progress, forKey: .progress)
        case .failed(let failure): try container.encode(failure, forKey: .failed)
        }
    }
}

extension WorkerMessage {
    /// The message in a line, nil where it is none, or one that no worker says.
    init?(line: [UInt8]) {
        guard line.first == UInt8(ascii: "{"),
            let message = try? JSONDecoder().decode(WorkerMessage.self, from: Data(line))
        else { return nil }
        if case .progress(let progress) = message, !progress.isSound { return nil }
        self = message
    }

    /// As one line, with its line feed.
    var line: [UInt8] {
        // Strings, numbers and truth values: there is nothing that cannot be encoded.
        Array((try? JSONEncoder().encode(self)) ?? Data()) + [UInt8(ascii: "\n")]
    }
}

/// Cuts what comes out of a pipe into lines, and gives up lines that are too long.
struct LineReader {
    static let limit = 1 << 16
    private var rest: [UInt8] = []
    private var isSkipping = false

    /// The lines that end in `bytes`, without their line feeds; an empty one for each that was too long.
    mutating func lines(in bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for piece in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if piece.offset > 0 {
                lines.append(isSkipping ? [] : rest)
                // Not with its capacity: every short line after a long one would hold as much.
                rest = []
                isSkipping = false
            }
            if rest.count + piece.element.count > Self.limit { isSkipping = true } else { rest += piece.element }
        }
        return lines
    }
}
