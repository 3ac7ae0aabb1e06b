/// Why a machine could not do its part.
public struct ComputeError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// A library that is not there, or a device that can never be used.
        case missing
        /// A device that cannot be used now, through no fault of what was asked of it: it is not up yet, another process
        /// has it, or others hold its memory.
        case notReady
        /// More device memory than there is on a card that nobody else uses.
        case memory
        /// A shape that the device's kernels do not have.
        case unsupported
        /// A call that failed; what the device holds is lost, and the process must end.
        case failed
        /// The device itself is gone.
        case lost
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// The call and the device.
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
