import FoundationEssentials
import JSON
import Spool

/// Where a job is.
public struct JobProgress: Codable, Sendable, Equatable {
    /// How many targets the job has; 0 before that is known.
    public var targets: Int
    /// How many of the targets are done.
    public var finished: Int
    /// The target at work; nil where several are.
    public var user: String?
    /// How many targets are at work together, where that is more than one.
    public var together: Int?
    /// `read` and `load`, until the model is there; then `select`, `references`, `evolve`, `queries`.
    public var stage: String
    /// How many evaluations are made, of all targets at work together; nil before the search.
    public var evaluation: Int?
    /// How many evaluations these targets will take.
    public var budget: Int?
    /// The best fitness so far.
    public var best: Double?
    /// How much of the batch under way is done, from 0 to 1.
    public var batch: Double?
    /// Seconds until the job is done, going by what was done so far; nil while there is nothing to go by.
    public var remaining: Double?

    /// - Parameter best: counts as nil where it is not finite.
    public init(
        targets: Int, finished: Int, user: String? = nil, stage: String, evaluation: Int? = nil, budget: Int? = nil,
        best: Double? = nil
    ) {
        self.targets = targets
        self.finished = finished
        self.user = user
        self.stage = stage
        self.evaluation = evaluation
        self.budget = budget
        self.best = best.flatMap { $0.isFinite ? $0 : nil }
    }
}

extension JobProgress {
    static let reading = "read"
    static let loading = "load"

    /// Whether the worker's device has the model.
    var hasModel: Bool { ![Self.reading, Self.loading].contains(stage) }

    /// Whether the numbers can be reckoned with and the words shown in a terminal: a worker that reads hostile files is not
    /// trusted.
    fileprivate var isSound: Bool {
        func counts(_ number: Int?, to most: Int) -> Bool { number.map { (0...most).contains($0) } ?? true }
        func measures(_ number: Double?, to most: Double) -> Bool { number.map { (0...most).contains($0) } ?? true }
        let most = 1 << 40
        return counts(targets, to: most) && counts(finished, to: targets) && counts(together, to: targets)
            && counts(evaluation, to: most) && counts(budget, to: most) && measures(batch, to: 1)
            && measures(remaining, to: 1e15) && isPlainID(stage) && user.map(isPlainID) ?? true
    }
}

/// Why a worker has no result.
public struct JobFailure: Codable, Sendable, Equatable {
    /// What the result will say unless another try does better.
    public let problem: Problem
    /// Whether another try would fail in the same way.
    public let isPermanent: Bool

    public init(_ problem: Problem, isPermanent: Bool) {
        self.problem = problem
        self.isPermanent = isPermanent
    }

    enum CodingKeys: String, CodingKey {
        case problem
        case isPermanent = "permanent"
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
                rest.removeAll(keepingCapacity: true)
                isSkipping = false
            }
            if rest.count + piece.element.count > Self.limit { isSkipping = true } else { rest += piece.element }
        }
        return lines
    }
}
