"""Whether zoo can work here: `doctor` checks installation and machine, `doctor_try` trains, kills
and continues a pocket model through `zoo sweep` and reports which checks pass.
"""
