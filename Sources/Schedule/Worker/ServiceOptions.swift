import Queue

/// What may be changed while a daemon runs.
public struct ServiceOptions: Sendable, Equatable {
    /// The device of each slot; a slot does one job at a time.
    public var devices = ["cpu"]
    /// How jobs wait; a device that is not ready rests for `firstRetry`, a second at least, and then twice as long each time.
    public var queue = JobQueue.Policy()
    /// Seconds between looks at the inbox without an announcement; also between tries of what the disk refused.
    public var rescanSeconds = 60.0
    /// Seconds without a sign after which a worker is killed.
    public var stallSeconds = 600.0
    /// Bytes of memory that a job may hold, where control groups can bound it; nil for as much as there is.
    public var jobBytes: Int?
    /// How long a job may run, all its tries together; nil for as long as it takes.
    public var jobSeconds: Double?
    /// Seconds that workers may take to come to a point from which they can go on, once the daemon is asked to stop or a
    /// job's time is over.
    public var stopSeconds = 240.0
    /// What workers read on their standard input: the configuration's text as it was when it was accepted, whatever becomes
    /// of its file.
    public var configuration: [UInt8] = []
    /// Where the numbers for a scraper go; nil for nowhere.
    public var metricsFile: String?

    public init() {}
}
