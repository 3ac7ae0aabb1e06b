import Compute

/// Why the engine could not do what it was asked.
public struct LlamaError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The raw value is the `error.code` of a result, see docs/FORMATS.md.
    public enum Code: String, Sendable {
        /// A prompt or answer that the model cannot take.
        case badPrompt = "bad-prompt"
        /// Longer than the model's positions.
        case tooLong = "too-long"
        /// A mixture that does not fit the bank.
        case mixture
        /// More memory than the configuration allows.
        case memory
        /// NaN or infinity among the logits.
        case notFinite = "not-finite"
        /// A device that failed, or cannot do what the model needs.
        case device
        /// A device that cannot be used now, through no fault of what was asked of it; later it may be.
        case deviceNotReady = "device-not-ready"
        /// A device that is gone for good: no other attempt on it can succeed.
        case deviceLost = "device-lost"
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// The request, mixture or sequence, numbered from 1; or a part of the engine, or the device and the call.
    public let place: String
    /// What was found there, in words.
    public let found: String
    /// What to do about it, in words.
    public let remedy: String

    public init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}

extension LlamaError {
    init(_ error: ComputeError) {
        let code: Code =
            switch error.code {
            case .memory: .memory
            // Neither does for any job until somebody mends the machine.
            case .lost, .missing: .deviceLost
            case .notReady: .deviceNotReady
            case .unsupported, .failed: .device
            }
        self.init(code, error.place, found: error.found, remedy: error.remedy)
    }
}

/// Does something on a device; its error in the engine's words.
func onDevice<T>(_ body: () throws(ComputeError) -> T) throws(LlamaError) -> T {
    do { return try body() } catch { throw LlamaError(error) }
}
