"""Whether zoo can work here: `doctor` looks at installation and machine, `doctor_try` trains, kills
and continues a pocket model through `zoo sweep` and says what holds.
"""
