"""A sweep's results for programs and notebooks: `zoo.results(name)` and `zoo.compare(name)`.

Objects with the numbers that reports and `zoo compare` show, and pandas frames of them. Reads run
folders and writes nothing; pandas is imported when a frame is first used.
"""
