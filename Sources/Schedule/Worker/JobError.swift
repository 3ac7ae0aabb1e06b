import Checkpoints
import Llama
import Manifest
import Methods
import Posix
import Spool
import Tasks
import Tokenizers

/// Why a job or one of its targets has no result.
public struct JobError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of fault, for programs: the `error.code` of a result, see docs/FORMATS.md.
    public let code: String
    /// File and field, user or item, in words.
    public let place: String
    /// What was found there and what to do about it, in words.
    public let message: String
    /// Whether another try would end in the same way.
    public let isPermanent: Bool

    public init(code: String, place: String, message: String, isPermanent: Bool = true) {
        self.code = code
        self.place = place
        self.message = message
        self.isPermanent = isPermanent
    }

    public var description: String { "\(place): \(message)" }

    /// The error as result.json tells it.
    public var problem: Problem { Problem(code: code, message: message, place: place) }

    /// The same error with paths in the job's folder, which moves, as its submitter knows them.
    func relative(to folder: String) -> JobError {
        func known(_ text: String) -> String {
            text.replacing("\(folder)/", with: "").replacing(folder, with: "the job's folder")
        }
        return JobError(code: code, place: known(place), message: known(message), isPermanent: isPermanent)
    }

    /// Whether the run was merely asked to stop.
    var isInterruption: Bool { code == MethodError.Code.interrupted.name }
}

extension JobError {
    /// Any error of the road, in one form.
    public init(_ error: any Error) {
        func told(
            _ code: String, _ place: String, _ found: String, _ remedy: String, isPermanent: Bool = true
        ) -> JobError {
            JobError(code: code, place: place, message: "\(found); \(remedy)", isPermanent: isPermanent)
        }
        switch error {
        case let error as JobError: self = error
        case let error as ManifestError:
            let first = error.mistakes[0]
            let more = error.mistakes.count - 1
            let rest = error.mistakes.dropFirst().map { "; also \($0)" }.joined()
            self = told(first.code.rawValue, first.place, first.found, first.remedy + (more > 0 ? rest : ""))
        case let error as CheckpointError:
            self = told(
                error.code.rawValue, error.place, error.found, error.remedy, isPermanent: error.code != .unavailable)
        case let error as TokenizerError:
            self = told(
                error.code.rawValue, error.place, error.found, error.remedy, isPermanent: error.code != .unavailable)
        case let error as TaskError: self = told(error.code.rawValue, error.place, error.found, error.remedy)
        case let error as LlamaError:
            self = told(
                error.code.rawValue, error.place, error.found, error.remedy, isPermanent: error.code.isPermanent)
        case let error as MethodError:
            self = told(error.code.name, error.place, error.found, error.remedy, isPermanent: error.code.isPermanent)
        case let error as PosixError:
            // A full disk or a missing right may mend itself; the same job then works.
            self = JobError(
                code: "io", place: error.path.isEmpty ? error.call : error.path, message: error.description,
                isPermanent: false)
        default:
            self = JobError(code: "internal", place: "primed", message: "\(type(of: error))", isPermanent: false)
        }
    }
}

extension MethodError.Code {
    /// The disk may have room another time.
    fileprivate var isPermanent: Bool {
        switch self {
        case .engine(let code): code.isPermanent
        case .storage: false
        default: true
        }
    }
}

extension LlamaError.Code {
    /// A device may come back, and another may be sound.
    fileprivate var isPermanent: Bool { ![.device, .deviceNotReady, .deviceLost].contains(self) }
}

/// Runs `body` and says what went wrong in a job's words.
func told<Value>(_ body: () throws -> Value) throws(JobError) -> Value {
    do { return try body() } catch { throw JobError(error) }
}
