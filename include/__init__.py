"""The backup in plain Python, without Airflow. Each package imports only those below it in this list.

cli/         the command ``inpe-backup``
report/      the mails
status/      the state of the vault, its days and VMs: the same for the web page, the mail and the command
restore/     restores of days and VMs
boot_test/   boots VMs from their images
scrub/       reads the vault's backups again and verifies them
days/        SUPIM days: survey, plan, backup, published days
vms/         VMs: plan, host, transfer, images, backup, generations, retention, removal
results/     what tasks leave for the reports
vault/       the vault's folder: marker, locks, free space, verification log; knows neither days nor VMs
config/      the site file and its sections
remote/      connections to hosts: commands, streams, rsync, programs sent there
agent/       runs on KVM hosts; imports nothing from the other packages
errors, names, models, shapes, text, ordinal_day   used by all packages but agent/
"""
