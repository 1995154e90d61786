"""What a monitor without rights may be lent: functions that give counts, and the SQL that makes them."""
