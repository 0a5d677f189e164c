"""``python -m stdc_port.training`` is ``stdc-seg finetune``.

Paddle's launcher takes a file, and no ``-m``: it is given this one, or ``stdc-seg finetune``.
"""

from stdc_port.commands.finetune import finetune_command

if __name__ == "__main__":
    finetune_command()
