/// Where the engine computes.
public enum Device: Hashable, Sendable, CustomStringConvertible {
    case cpu
    /// The GPU with this number, as the driver counts them.
    case cuda(Int)

    /// `cpu`, `cuda` for the first GPU, or `cuda:N`.
    public init?(_ text: String) {
        switch text {
        case "cpu": self = .cpu
        case "cuda": self = .cuda(0)
        default:
            guard text.hasPrefix("cuda:"), let ordinal = Int(text.dropFirst(5)), (0..<64).contains(ordinal) else {
                return nil
            }
            self = .cuda(ordinal)
        }
    }

    public var description: String {
        switch self {
        case .cpu: "cpu"
        case .cuda(let ordinal): "cuda:\(ordinal)"
        }
    }
}
